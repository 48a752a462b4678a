// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the lab adds to a guest: the same kernel, initramfs, command line and probe run by klab and by
 * QEMU alone with a bare driver on its second UART, in turns. Measures, asserts nothing. With a URI:
 * what libvirt adds to that, klab through it against klab by itself.
 *
 * Both are timed from before the engine is started: klab's side has its input checks, journal and
 * status polling in it. Quote the ratios, never the times: they belong to the machine.
 */
#include "base/embed.h"
#include "base/fs.h"
#include "base/proc.h"
#include "cmd/lab.h"
#include "guest/initramfs.h"
#include "parse/wire.h"
#include "run/exec.h"
#include "store/journal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLAIN_LIMIT_S 180

/* One boot with one probe run. */
struct sample {
	double begin_s;		/* from before the engine's start to the probe's begin record */
	double done_s;		/* to the end of everything, the engine's exit included */
	double rate;		/* exposure a second of the probe's run */
	double engine_cpu_s;	/* CPU time of QEMU */
	double harness_cpu_s;	/* CPU time of the driving process */
};

static double now_s(void)
{
	return g_get_monotonic_time() / 1e6;
}

static double cpu_s(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return u.ru_utime.tv_sec + u.ru_stime.tv_sec +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* --- klab ------------------------------------------------------------------------------------- */

static json_t *find_event(json_t *events, const char *name)
{
	json_t *event, *found = NULL;
	size_t i;

	json_array_foreach(events, i, event)
		if (g_strcmp0(json_string_value(json_object_get(event, "ev")), name) == 0)
			found = event;
	return found;
}

static double event_s(json_t *events, const char *name)
{
	return json_integer_value(json_object_get(find_event(events, name), "t")) / 1e6;
}

static double exposure_of(const json_t *end)
{
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(end, "exposure"), key, value)
		return json_number_value(value);
	return 0;
}

static bool run_klab(const struct job *job, const char *dir, struct sample *ret, char **ret_append,
		     GError **error)
{
	double t0 = now_s(), self = cpu_s(RUSAGE_SELF), children = cpu_s(RUSAGE_CHILDREN);
	g_autoptr(journal_view) view = NULL;
	json_t *result;

	if (!fs_mkdir(dir, error) || !job_save(job, dir, error) ||
	    !job_execute(job, dir, NULL, NULL, error))
		return false;
	ret->done_s = now_s() - t0;
	ret->harness_cpu_s = cpu_s(RUSAGE_SELF) - self;
	ret->engine_cpu_s = cpu_s(RUSAGE_CHILDREN) - children;
	if (!journal_load(dir, &view, error))
		return false;
	result = find_event(view->events, "result");
	if (!result)
		return lab_fail(error, LAB_ERROR_INFRA, "the probe did not end: see '%s'", dir);
	/* the journal's clock starts behind the engine's: its end is the fixed point */
	ret->begin_s = ret->done_s -
		       (event_s(view->events, "end") - event_s(view->events, "begin"));
	ret->rate = exposure_of(result) /
		    (event_s(view->events, "result") - event_s(view->events, "begin"));
	g_free(*ret_append);
	*ret_append = g_strdup(json_string_value(
		json_object_get(find_event(view->events, "start"), "append")));
	return true;
}

/* --- QEMU alone ------------------------------------------------------------------------------- */

struct plain {
	const struct job *job;
	int fd;
	uint64_t seq;
	double t0, begin_s, end_s, exposure;
	bool done;
};

static void say(struct plain *p, const char *type, const char *payload)
{
	char line[WIRE_LINE_MAX];
	size_t len = wire_format(line, sizeof(line), ++p->seq, type, payload);

	if (write(p->fd, line, len) != (ssize_t)len)
		p->done = true;
}

static void on_record(const struct wire_record *record, void *user)
{
	struct plain *p = user;
	g_autofree char *start = NULL;

	if (strcmp(record->type, "hello") == 0) {
		start = g_strdup_printf("{\"probe\":\"%s\",\"duration_ms\":%u,\"seed\":%" G_GUINT64_FORMAT
					"}", p->job->probe, p->job->duration_ms,
					p->job->seed & G_MAXINT64);
		say(p, "start", start);
	} else if (strcmp(record->type, "begin") == 0) {
		p->begin_s = now_s() - p->t0;
	} else if (strcmp(record->type, "end") == 0) {
		json_t *end = json_loads(record->payload, 0, NULL);

		p->end_s = now_s() - p->t0;
		p->exposure = exposure_of(end);
		json_decref(end);
		say(p, "bye", "");
	} else if (strcmp(record->type, "bye") == 0) {
		p->done = true;
	}
}

static pid_t spawn_qemu(const struct job *job, const char *initrd, const char *append, int theirs)
{
	g_autofree char *smp = g_strdup_printf("%u", job->smp);
	g_autofree char *mem = g_strdup_printf("%u", job->mem_mib);
	g_autofree char *wire = g_strdup_printf("socket,id=wire,fd=%d", theirs);
	const char *fixed[] = { "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
				"-machine", "pc", "-net", "none", "-accel", "tcg,thread=multi",
				"-cpu", job->cpu_model, "-smp", smp, "-m", mem, "-kernel",
				job->kernel->image, "-initrd", initrd, "-append", append, "-chardev",
				wire, "-serial", "null", "-serial", "chardev:wire" };
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	pid_t pid;

	g_ptr_array_add(argv, job->engine->binary);
	for (char **arg = job->engine->args; arg && *arg; arg++)
		g_ptr_array_add(argv, *arg);
	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++)
		g_ptr_array_add(argv, (char *)fixed[i]);
	g_ptr_array_add(argv, NULL);
	pid = fork();
	if (pid)
		return pid;
	for (char **e = job->engine->env; e && *e; e++)
		putenv(*e);
	if (proc_die_with_parent(getppid(), SIGKILL))
		execv(argv->pdata[0], (char *const *)argv->pdata);
	_exit(127);
}

static void drive(struct plain *p)
{
	struct wire_parser wire;
	char buf[4096];

	wire_parser_init(&wire, on_record, p);
	while (!p->done && now_s() - p->t0 < PLAIN_LIMIT_S) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
		ssize_t n;

		if (poll(&pfd, 1, 1000) <= 0)
			continue;
		n = read(p->fd, buf, sizeof(buf));
		if (n <= 0)
			break;
		wire_parser_feed(&wire, buf, n);
	}
}

static bool run_plain(const struct job *job, const char *initrd, const char *append,
		      struct sample *ret, GError **error)
{
	struct plain p = { .job = job, .t0 = now_s() };
	double self = cpu_s(RUSAGE_SELF), children = cpu_s(RUSAGE_CHILDREN);
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return lab_fail_errno(error, "socketpair");
	pid = spawn_qemu(job, initrd, append, pair[1]);
	close(pair[1]);
	p.fd = pair[0];
	drive(&p);
	close(pair[0]);
	if (!p.done)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	*ret = (struct sample){
		.begin_s = p.begin_s,
		.done_s = now_s() - p.t0,
		.rate = p.exposure / (p.end_s - p.begin_s),
		.engine_cpu_s = cpu_s(RUSAGE_CHILDREN) - children,
		.harness_cpu_s = cpu_s(RUSAGE_SELF) - self,
	};
	return p.done || lab_fail(error, LAB_ERROR_INFRA, "plain QEMU did not say bye");
}

/* --- both, in turns --------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(const struct sample *s, unsigned n, size_t offset)
{
	g_autofree double *v = g_new(double, n);

	for (unsigned i = 0; i < n; i++)
		v[i] = *(const double *)((const char *)&s[i] + offset);
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void print_row(const char *name, const struct sample *klab, const struct sample *plain,
		      unsigned n, size_t offset)
{
	double a = median(klab, n, offset), b = median(plain, n, offset);

	printf("%-34s %10.3f %10.3f %8.2f\n", name, a, b, a / b);
}

static void print_table(const struct sample *klab, const struct sample *plain, unsigned n,
			const char *uri)
{
	double cpu = median(klab, n, offsetof(struct sample, harness_cpu_s));

	printf("%-34s %10s %10s %8s\n", "MEDIAN OF EACH", uri ? "LIBVIRT" : "KLAB", "QEMU", "RATIO");
	print_row("boot to the probe's begin, s", klab, plain, n, offsetof(struct sample, begin_s));
	print_row("whole job, s", klab, plain, n, offsetof(struct sample, done_s));
	print_row("exposure a second of the probe", klab, plain, n, offsetof(struct sample, rate));
	print_row("CPU of QEMU, s", klab, plain, n, offsetof(struct sample, engine_cpu_s));
	if (uri)
		print_row("CPU of klab, s", klab, plain, n, offsetof(struct sample, harness_cpu_s));
	printf("harness CPU: %.3f s a job, %.1f %% of what QEMU took\n", cpu,
	       100 * cpu / median(klab, n, offsetof(struct sample, engine_cpu_s)));
}

static bool run_libvirt(const struct job *job, const char *uri, const char *dir,
			struct sample *ret, GError **error)
{
	struct job_host host = { .uri = (char *)uri };
	struct job there = *job;
	g_autofree char *append = NULL;

	there.host = &host;
	return run_klab(&there, dir, ret, &append, error);
}

static bool bench(struct lab *lab, const struct kernel *kernel, unsigned n, const char *uri,
		  GError **error)
{
	g_autofree char *dir = g_dir_make_tmp("klab-bench-XXXXXX", error);
	g_autofree char *append = NULL, *initrd = NULL, *agent = NULL;
	g_autofree struct sample *klab = g_new0(struct sample, n + 1);
	g_autofree struct sample *other = g_new0(struct sample, n + 1);
	const char *const probe[] = { "text-poke", NULL };
	const struct lab_plan plan = { .duration_s = 5, .seed = 1, .amplify = AMPLIFY_OFF };
	g_autoptr(GPtrArray) probes = NULL;
	g_autoptr(run) r = NULL;
	bool ok = dir && probes_select(lab->probes, probe, &probes, error);

	if (!ok || !initramfs_get(embed_init, EMBED_LEN(init), &initrd, &agent, error))
		return false;
	r = run_new(dir, 0.99);
	lab_add_cells(lab, r, kernel, probes, &plan);
	/* the first run fills caches and is not counted */
	for (unsigned i = 0; ok && i <= n; i++) {
		const struct job *job = ((struct cell *)r->cells->pdata[0])->job;
		g_autofree char *out = g_strdup_printf("%s/%u", dir, i);

		g_autofree char *there = g_strdup_printf("%s/%u-libvirt", dir, i);
		unsigned at = i ? i - 1 : n;

		ok = run_klab(job, out, &klab[at], &append, error) &&
		     (uri ? run_libvirt(job, uri, there, &other[at], error) :
			    !i || run_plain(job, initrd, append, &other[at], error));
		fprintf(stderr, "\r%u of %u", i, n);
	}
	fprintf(stderr, "\n");
	if (ok && uri)
		print_table(other, klab, n, uri);
	else if (ok)
		print_table(klab, other, n, NULL);
	return fs_remove(dir, ok ? error : NULL) && ok;
}

int main(int argc, char **argv)
{
	const struct lab_params params = { .accel = "tcg", .trust_engine = true };
	unsigned n = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
	g_autoptr(GError) error = NULL;
	g_autoptr(kernel) kernel = NULL;
	g_autoptr(lab) lab = NULL;

	if (n < 1 || n > 1000 || argc > 3) {
		fprintf(stderr, "usage: bench_boot [REPETITIONS [URI]]\n");
		return 2;
	}
	if (lab_open(&params, &lab, &error) && lab_open_engine(lab, &params, NULL, &error) &&
	    lab_proof_kernel(lab, NULL, &kernel, &error) && bench(lab, kernel, n, argv[2], &error))
		return 0;
	fprintf(stderr, "bench_boot: %s\n", error->message);
	return 1;
}
