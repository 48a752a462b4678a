// SPDX-License-Identifier: GPL-2.0-or-later
/* The posterior after each test as SVG: darker is more probable. Part of bisect.h. */
#include "report/bisect.h"

#include <math.h>

#define COLUMNS_MAX 240
#define ROWS_MAX 400
#define WIDTH 960
#define LEFT 60
#define TOP 30
#define HEIGHT_MAX 600.0

struct bisect_picture {
	unsigned n, columns;
	GArray *cells;	/* of double: rows of `columns` */
	unsigned rows;
};

struct bisect_picture *bisect_picture_new(const struct bisect_range *r)
{
	struct bisect_picture *p = g_new0(struct bisect_picture, 1);

	p->n = r->n;
	p->columns = MIN(r->n, COLUMNS_MAX);
	p->cells = g_array_new(FALSE, TRUE, sizeof(double));
	return p;
}

void bisect_picture_free(struct bisect_picture *p)
{
	if (!p)
		return;
	g_array_free(p->cells, TRUE);
	g_free(p);
}

void bisect_picture_add(struct bisect_picture *p, const struct bisect_state *s)
{
	double *row;

	g_array_set_size(p->cells, (p->rows + 1) * p->columns);
	row = &g_array_index(p->cells, double, p->rows * p->columns);
	for (unsigned c = 0; c < p->n; c++)
		row[(uint64_t)c * p->columns / p->n] += s->belief->w[c];
	p->rows++;
}

/* Probabilities go over orders of magnitude: from 1 in 1000 on something is seen. */
static int shade(double p)
{
	double s = p <= 0 ? 0 : 1 + log10(p) / 3;

	return 255 - (int)(255 * CLAMP(s, 0, 1));
}

static void add_row(GString *out, const struct bisect_picture *p, unsigned row, double y, double height)
{
	double width = (double)(WIDTH - LEFT) / p->columns;

	for (unsigned c = 0; c < p->columns; c++) {
		int grey = shade(g_array_index(p->cells, double, row * p->columns + c));

		if (grey < 255)
			g_string_append_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
						    "height=\"%.1f\" fill=\"rgb(%d,%d,%d)\"/>\n",
					       LEFT + c * width, y, width + 0.2, height + 0.2, grey,
					       grey, 255 - (255 - grey) / 3);
	}
}

char *bisect_picture_svg(const struct bisect_picture *p)
{
	GString *out = g_string_new(NULL);
	unsigned every = (p->rows + ROWS_MAX - 1) / ROWS_MAX, shown = 0;
	double height;

	every = MAX(every, 1);
	shown = (p->rows + every - 1) / every;
	height = fmin(12, HEIGHT_MAX / MAX(shown, 1));
	g_string_append_printf(
		out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<title>The posterior after each test</title>\n"
		"<text x=\"%d\" y=\"18\">%u changes, old to new; %u tests, first to last; darker is more "
		"probable</text>\n",
		WIDTH + 20, TOP + shown * height + 20, LEFT, p->n, p->rows);
	for (unsigned row = 0; row < p->rows; row += every) {
		double y = TOP + row / every * height;

		add_row(out, p, row, y, height);
		if (row / every % 10 == 0)
			g_string_append_printf(out, "<text x=\"4\" y=\"%.1f\">%u</text>\n", y + 10,
					       row + 1);
	}
	g_string_append(out, "</svg>\n");
	return g_string_free(out, FALSE);
}
