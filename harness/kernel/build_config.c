// SPDX-License-Identifier: GPL-2.0-or-later
/* Fragments of kernel configuration, and which of ours goes with which release. */
#include "kernel/build_config.h"

#include "base/embed.h"
#include "kernel/compiler.h"

#include <string.h>

#define NAME_MAX_BYTES 128
#define OPTION "CONFIG_"
#define NOT_SET " is not set"

/* Facts stand in the files; what is special to a single release is so seldom that kconfig's own
 * silence on unknown options does. Ascending. */
static const struct {
	unsigned from;
	const char *name, *text;
} eras[] = {
	{ COMPILER_KERNEL(3, 10), "guest-3.10.config", embed_guest_3_10_config },
	{ COMPILER_KERNEL(5, 2), "guest-5.2.config", embed_guest_5_2_config },
	{ COMPILER_KERNEL(5, 11), "guest-5.11.config", embed_guest_5_11_config },
};

/* The agent is a 64-bit ELF in an initramfs that mounts /proc, /sys and /dev and speaks over ttyS1,
 * the kernel speaks over ttyS0, and vCPUs are many. */
static const char *const needed[] = {
	"CONFIG_64BIT",          "CONFIG_SMP",
	"CONFIG_PRINTK",         "CONFIG_TTY",
	"CONFIG_SERIAL_8250",    "CONFIG_SERIAL_8250_CONSOLE",
	"CONFIG_BLK_DEV_INITRD", "CONFIG_RD_GZIP",
	"CONFIG_BINFMT_ELF",     "CONFIG_PROC_FS",
	"CONFIG_SYSFS",          "CONFIG_DEVTMPFS",
	"CONFIG_FUTEX",
};

struct config_set *config_set_new(void)
{
	struct config_set *set = g_new0(struct config_set, 1);

	set->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	set->names = g_ptr_array_new();
	return set;
}

void config_set_free(struct config_set *set)
{
	if (!set)
		return;
	g_ptr_array_unref(set->names);
	g_hash_table_unref(set->values);
	g_free(set);
}

static void put(struct config_set *set, char *option, char *value)
{
	char *known = NULL;

	if (g_hash_table_lookup_extended(set->values, option, (void **)&known, NULL)) {
		g_hash_table_insert(set->values, option, value); /* keeps the old key */
		return;
	}
	g_ptr_array_add(set->names, option);
	g_hash_table_insert(set->values, option, value);
}

/* How long is the option's name at the start of `line`? 0: there is none. */
static size_t option_length(const char *line)
{
	size_t len = strlen(OPTION);

	if (strncmp(line, OPTION, len))
		return 0;
	while (g_ascii_isalnum(line[len]) || line[len] == '_')
		len++;
	return len > strlen(OPTION) && len <= NAME_MAX_BYTES ? len : 0;
}

/* y, m, n, a number or a quoted text: what scripts/kconfig/confdata.c takes. */
static bool value_is_valid(const char *value)
{
	size_t len = strlen(value);

	if (*value != '"')
		return len > 0 && strspn(value, "0123456789abcdefxABCDEFymn-") == len;
	return len >= 2 && value[len - 1] == '"' && (len < 3 || value[len - 2] != '\\');
}

/* "# CONFIG_X is not set" */
static bool take_comment(struct config_set *set, const char *line)
{
	const char *at = line + 1 + strspn(line + 1, " \t");
	size_t len = option_length(at);

	if (len && !strcmp(at + len, NOT_SET))
		put(set, g_strndup(at, len), g_strdup("n"));
	return true;
}

static bool take_line(struct config_set *set, const char *line)
{
	size_t len;

	if (!*line)
		return true;
	if (*line == '#')
		return take_comment(set, line);
	len = option_length(line);
	if (!len || line[len] != '=' || !value_is_valid(line + len + 1))
		return false;
	put(set, g_strndup(line, len), g_strdup(line + len + 1));
	return true;
}

bool config_set_read(struct config_set *set, const char *name, const char *text, size_t len,
		     GError **error)
{
	const char *end = text + len, *next;
	unsigned number = 0;

	if (len > BUILD_CONFIG_MAX || memchr(text, '\0', len))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' is no kernel configuration", name);
	for (const char *at = text; at < end; at = next) {
		const char *stop = memchr(at, '\n', end - at);
		g_autofree char *line = NULL;

		stop = stop ? stop : end;
		next = stop + 1;
		line = g_strstrip(g_strndup(at, stop - at));
		number++;
		if (!take_line(set, line))
			return lab_fail(error, LAB_ERROR_INPUT,
					"%s:%u: '%.80s' is neither CONFIG_NAME=VALUE nor a comment",
					name, number, line);
		if (set->names->len > BUILD_CONFIG_OPTIONS_MAX)
			return lab_fail(error, LAB_ERROR_INPUT, "%s:%u: more than %u options", name,
					number, BUILD_CONFIG_OPTIONS_MAX);
	}
	return true;
}

char *config_set_text(const struct config_set *set)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < set->names->len; i++)
		g_string_append_printf(text, "%s=%s\n", (char *)set->names->pdata[i],
				       config_set_get(set, set->names->pdata[i]));
	return g_string_free(text, FALSE);
}

const char *config_set_get(const struct config_set *set, const char *option)
{
	const char *value = g_hash_table_lookup(set->values, option);

	return value ? value : "n";
}

/* What kconfig writes for a symbol that has no value: nothing, which is n, 0 and "" alike. */
static bool is_nothing(const char *value)
{
	return !strcmp(value, "n") || !strcmp(value, "\"\"");
}

GPtrArray *config_set_lost(const struct config_set *wanted, const struct config_set *got)
{
	GPtrArray *lost = g_ptr_array_new();

	for (guint i = 0; i < wanted->names->len; i++) {
		char *name = wanted->names->pdata[i];
		const char *want = config_set_get(wanted, name), *have = config_set_get(got, name);

		if (strcmp(want, have) && !(is_nothing(want) && is_nothing(have)))
			g_ptr_array_add(lost, name);
	}
	return lost;
}

bool build_config_shipped(unsigned kernel, struct config_set *set, GError **error)
{
	size_t era = 0;

	for (size_t i = 1; i < G_N_ELEMENTS(eras) && eras[i].from <= kernel; i++)
		era = i;
	return config_set_read(set, "guest.config", embed_guest_config, EMBED_LEN(guest_config),
			       error) &&
	       config_set_read(set, eras[era].name, eras[era].text, strlen(eras[era].text), error);
}

GPtrArray *build_config_missing(const struct config_set *got)
{
	GPtrArray *missing = g_ptr_array_new();

	for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
		if (strcmp(config_set_get(got, needed[i]), "y"))
			g_ptr_array_add(missing, (char *)needed[i]);
	return missing;
}
