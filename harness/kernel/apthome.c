// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The folder that apt works in, and its configuration. apt's hooks (APT::Update::Post-Invoke of
 * other packages) do not run, as they act on the system; of the system's settings only the
 * network's (Acquire::http and kin) are taken over.
 */
#include "kernel/apthome.h"

#include "base/fs.h"
#include "base/proc.h"

#define LOCK_TIMEOUT_S 900
#define QUERY_TIMEOUT_S 120

void apt_home_clear(struct apt_home *home)
{
	g_clear_pointer(&home->dir, g_free);
	g_clear_pointer(&home->conf, g_free);
	g_clear_pointer(&home->note, g_free);
	g_clear_pointer(&home->stale, g_free);
	lab_fd_close(&home->lock);
}

void apt_home_note(struct apt_home *home, const char *text)
{
	g_autofree char *old = home->note;

	home->note = old ? g_strconcat(old, "; ", text, NULL) : g_strdup(text);
}

static bool is_network_setting(const char *line)
{
	static const char *const prefixes[] = { "Acquire::http", "Acquire::ftp", "Acquire::Retries",
						"Acquire::Force", "Acquire::Queue" };

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(line, prefixes[i]))
			return true;
	return false;
}

static bool append_network_settings(GString *conf, GError **error)
{
	struct proc_spec spec = { .argv = (const char *const[]){ "apt-config", "dump", NULL },
				  .timeout_s = QUERY_TIMEOUT_S };
	g_autofree char *dump = NULL;
	g_auto(GStrv) lines = NULL;
	g_autoptr(GError) own = NULL;

	if (!proc_run(&spec, &dump, NULL, &own)) {
		if (g_error_matches(own, LAB_ERROR, LAB_ERROR_UNAVAILABLE))
			return lab_fail(
				error, LAB_ERROR_UNAVAILABLE,
				"packages come through apt, and this host has none: %s\n"
				"hint: kernels can be given as file:PATH, QEMU as --qemu PATH",
				own->message);
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	lines = g_strsplit(dump, "\n", -1);
	for (char **l = lines; *l; l++)
		if (is_network_setting(*l))
			g_string_append_printf(conf, "%s\n", *l);
	return true;
}

static bool write_conf(struct apt_home *home, GError **error)
{
	g_autoptr(GString) conf = g_string_new(NULL);
	const char *dir = home->dir;

	g_string_append_printf(conf,
			       "Dir::Etc::main \"/dev/null\";\n"
			       "Dir::Etc::parts \"/dev/null\";\n"
			       "Dir::Etc::sourcelist \"%s/suites.sources\";\n"
			       "Dir::Etc::sourceparts \"/dev/null\";\n"
			       "Dir::Etc::preferences \"/dev/null\";\n"
			       "Dir::Etc::preferencesparts \"/dev/null\";\n"
			       "Dir::State \"%s/state\";\n"
			       "Dir::State::lists \"%s/lists\";\n"
			       "Dir::State::status \"%s/status\";\n"
			       "Dir::Cache \"%s/cache\";\n"
			       "Dir::Cache::pkgcache \"\";\n"
			       "Dir::Cache::srcpkgcache \"\";\n",
			       dir, dir, dir, dir, dir);
	/* The cache may lie below a home that apt's own user cannot enter. */
	g_string_append(conf, "APT::Architecture \"amd64\";\n"
			      "APT::Architectures { \"amd64\"; };\n"
			      "APT::Sandbox::User \"root\";\n"
			      "APT::Get::List-Cleanup \"false\";\n"
			      "Acquire::Languages \"none\";\n"
			      "Acquire::PDiffs \"false\";\n"
			      "Acquire::Retries \"1\";\n"
			      "Acquire::http::Timeout \"15\";\n"
			      "Acquire::https::Timeout \"15\";\n");
	return append_network_settings(conf, error) &&
	       fs_write(home->conf, conf->str, conf->len, error);
}

static bool make_folders(const struct apt_home *home, GError **error)
{
	static const char *const names[] = { "lists/partial", "state", "cache/archives/partial",
					     "stamps" };
	g_autofree char *status = g_build_filename(home->dir, "status", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(home->dir, names[i], NULL);

		if (!fs_mkdir(path, error))
			return false;
	}
	return fs_write(status, "", 0, error);
}

static bool take_lock(struct apt_home *home, const struct progress *progress, GError **error)
{
	g_autofree char *path = g_build_filename(home->dir, "lock", NULL);
	g_autoptr(GError) busy = NULL;

	home->lock = fs_lock(path, 0, &busy);
	if (home->lock < 0 && g_error_matches(busy, LAB_ERROR, LAB_ERROR_TIMEOUT)) {
		progress_say(progress, "waiting for another klab that uses apt");
		home->lock = fs_lock(path, LOCK_TIMEOUT_S, error);
	} else if (home->lock < 0) {
		g_propagate_error(error, g_steal_pointer(&busy));
	}
	return home->lock >= 0;
}

/* "dlstatus:1:42.17:Retrieving file 1 of 1" */
static void watch_line(const char *line, void *user)
{
	struct apt_watch *watch = user;
	const char *p = g_str_has_prefix(line, "dlstatus:") ? strchr(line + 9, ':') : NULL;
	int percent = p ? (int)g_ascii_strtod(p + 1, NULL) : 0;

	if (percent < watch->shown + 20)
		return;
	watch->shown = percent;
	progress_say(watch->progress, "%s: %d %%", watch->what, MIN(percent, 100));
}

/* apt's own words on what went wrong: its first error, else its first warning. */
static char *apt_reason(const char *output)
{
	static const char *const marks[] = { "E: ", "W: ", "Err:" };
	g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

	for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
		for (char **l = lines; *l; l++)
			if (g_str_has_prefix(*l, marks[i]))
				return g_utf8_make_valid(*l + strlen(marks[i]), -1);
	return g_strdup("apt gave no reason");
}

bool apt_home_run(const struct apt_home *home, const struct apt_call *call, char **ret_output,
		    char **ret_reason, GError **error)
{
	g_autofree char *conf = g_strconcat("APT_CONFIG=", home->conf, NULL), *output = NULL;
	const char *const env[] = { conf, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", NULL };
	struct proc_spec spec = { .argv = call->argv, .env = env, .cwd = call->cwd,
				  .timeout_s = call->timeout_s, .output_max = 4u << 20,
				  .on_line = call->watch ? watch_line : NULL, .user = call->watch };
	g_autoptr(GError) own = NULL;
	int status;

	if (!proc_run(&spec, &output, &status, &own)) {
		/* A mirror that drips is the network's failure, not ours. */
		if (!g_error_matches(own, LAB_ERROR, LAB_ERROR_TIMEOUT)) {
			g_propagate_error(error, g_steal_pointer(&own));
			return false;
		}
		*ret_reason = g_strdup(own->message);
	} else if (status) {
		*ret_reason = apt_reason(output);
	} else if (ret_output) {
		*ret_output = g_steal_pointer(&output);
	}
	return true;
}

bool apt_home_open(struct apt_home *home, const struct progress *progress, GError **error)
{
	home->dir = fs_cache_dir("apt", error);
	if (!home->dir)
		return false;
	home->conf = g_build_filename(home->dir, "apt.conf", NULL);
	return take_lock(home, progress, error) && make_folders(home, error) &&
	       write_conf(home, error);
}
