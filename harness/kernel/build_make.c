// SPDX-License-Identifier: GPL-2.0-or-later
/* make for kernels: of the controls and of the git source alike. */
#include "kernel/build_make.h"

#include "base/proc.h"

#include <string.h>

#define REASON_LINES 4
#define REASON_LINE_MAX 300
#define SAY_EVERY_US (2 * G_USEC_PER_SEC)

/*
 * make stays in a process group of ours, but its own children do not die with it when we are
 * killed: a watcher in the group ends them all. The lock is inherited by whatever is left of an
 * earlier build, so that two never write to one folder.
 */
static const char guarded[] = "(while kill -0 $$ 2>/dev/null; do sleep 1; done; kill -KILL 0) "
			      ">/dev/null 2>&1 & exec flock -w 60 make.lock \"$@\"";

struct make_watch {
	struct build_make *make;
	int64_t began_us, said_us;
};

/* "  CC      mm/usercopy.o" */
static bool is_step(const char *line)
{
	return line[0] == ' ' && line[1] == ' ' && g_ascii_isupper(line[2]);
}

static void make_line(const char *line, void *user)
{
	struct make_watch *watch = user;
	struct build_make *make = watch->make;
	int64_t now = g_get_monotonic_time();
	unsigned total = MAX(make->steps_total, 1), seconds;

	if (!is_step(line))
		return;
	make->steps++;
	if (now - watch->said_us < SAY_EVERY_US)
		return;
	watch->said_us = now;
	seconds = (now - watch->began_us) / G_USEC_PER_SEC;
	progress_say(make->progress, "%s: building, %u %%, %u:%02u min", make->what,
		     (unsigned)MIN((uint64_t)make->steps * 100 / total, 99), seconds / 60,
		     seconds % 60);
}

/* The lines of make's output that say why it failed: its first errors, not the last words. */
static char *make_reason(const char *output)
{
	g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
	g_autoptr(GString) reason = g_string_new(NULL);
	unsigned kept = 0;

	for (char **line = lines; *line && kept < REASON_LINES; line++) {
		if (!strstr(*line, "error:") && !strstr(*line, "***"))
			continue;
		g_string_append_printf(reason, "%s%.*s", kept++ ? " / " : "", REASON_LINE_MAX,
				       g_strstrip(*line));
	}
	return g_utf8_make_valid(kept ? reason->str : "it named no error", -1);
}

static void add(GPtrArray *list, const char *name, const char *value)
{
	g_ptr_array_add(list, g_strdup_printf("%s=%s", name, value));
}

static GPtrArray *make_argv(const struct build_make *make, const char *target)
{
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
	const char *const first[] = { "sh", "-c", guarded, "sh", "make", "-C", make->src };
	const char *const last[] = {
		"ARCH=x86_64", "CROSS_COMPILE=", "LLVM=", "KCFLAGS=", "W=", "V=0", target
	};

	for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
		g_ptr_array_add(argv, g_strdup(first[i]));
	g_ptr_array_add(argv, g_strdup_printf("-j%u", make->jobs));
	add(argv, "O", make->obj);
	add(argv, "CC", make->cc);
	if (make->hostcc)
		add(argv, "HOSTCC", make->hostcc);
	/* Given, though empty: else the tree asks git and appends a "+". */
	add(argv, "LOCALVERSION", make->localversion ? make->localversion : "");
	for (size_t i = 0; i < G_N_ELEMENTS(last); i++)
		g_ptr_array_add(argv, g_strdup(last[i]));
	g_ptr_array_add(argv, NULL);
	return argv;
}

static GPtrArray *make_env(const struct build_make *make)
{
	GPtrArray *env = g_ptr_array_new_with_free_func(g_free);

	add(env, "KBUILD_BUILD_HOST", make->host);
	add(env, "KCONFIG_ALLCONFIG", make->fragment);
	/* The next work folder has another name: what ccache knows of this one holds there too. */
	add(env, "CCACHE_BASEDIR", make->dir);
	add(env, "KBUILD_BUILD_USER", "klab");
	add(env, "KBUILD_BUILD_VERSION", "1");
	add(env, "KBUILD_BUILD_TIMESTAMP", make->timestamp);
	add(env, "MAKEFLAGS", "");
	add(env, "MAKEOVERRIDES", "");
	add(env, "LC_ALL", "C");
	add(env, "KCONFIG_CONFIG", ".config");
	g_ptr_array_add(env, NULL);
	return env;
}

static bool run(struct build_make *make, const char *target, unsigned timeout_s, bool watched,
		GError **error)
{
	g_autoptr(GPtrArray) argv = make_argv(make, target), env = make_env(make);
	struct make_watch watch = { make, g_get_monotonic_time(), g_get_monotonic_time() };
	struct proc_spec spec = { .argv = (const char *const *)argv->pdata,
				  .env = (const char *const *)env->pdata,
				  .cwd = make->dir,
				  .timeout_s = timeout_s,
				  .on_line = watched ? make_line : NULL,
				  .user = &watch };
	g_autofree char *output = NULL, *reason = NULL;
	int status;

	make->steps = 0;
	if (!proc_run(&spec, &output, &status, error))
		return false;
	if (!status)
		return true;
	reason = make_reason(output);
	return lab_fail(error, LAB_ERROR_INFRA, "make exited with code %d: '%s'", status, reason);
}

bool build_make_config(struct build_make *make, const char *target, GError **error)
{
	return run(make, target, BUILD_CONFIG_TIMEOUT_S, false, error);
}

bool build_make_image(struct build_make *make, GError **error)
{
	progress_say(make->progress, "%s: building", make->what);
	return run(make, "bzImage", BUILD_MAKE_TIMEOUT_S, true, error);
}
