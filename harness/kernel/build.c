// SPDX-License-Identifier: GPL-2.0-or-later
/* From a source tree to an image; the steps may be repeated after a crash at any of them. */
#include "kernel/build.h"

#include "base/fs.h"
#include "base/proc.h"
#include "kernel/build_config.h"
#include "kernel/build_make.h"
#include "kernel/compiler.h"
#include "kernel/source.h"
#include "kernel/source_tree.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <utime.h>

#define RECIPE 1 /* raise when objects of an earlier klab must not be used */
#define KEY_DIGITS 16
#define OBJECTS_KEPT 3 /* folders of objects beside the one in use, 0.2 to 1 GiB each */
#define ROOM_MIB 1024
#define RECENT_S 120
#define STEPS_GUESS 1400 /* lines of make for the shipped config on 6.1 */
#define SMALL_MAX 4096
#define TOLD_MAX 8 /* options in one message */
#define GREP_TIMEOUT_S 60
#define BUILDING "klab-building" /* in the objects: make is at work, or was killed */
#define STEPS "klab-steps"

struct job {
	const struct build_spec *spec;
	unsigned kernel; /* COMPILER_KERNEL() */
	char *release;
	struct compiler *cc;
	char *cc_line, *host_line; /* CC and HOSTCC */
	config_set *wanted, *user;
	char *obj, *fragment;
	unsigned steps_total;
	char *note;
};

static void job_clear(struct job *job)
{
	g_free(job->release);
	compiler_free(job->cc);
	g_free(job->cc_line);
	g_free(job->host_line);
	config_set_free(job->wanted);
	config_set_free(job->user);
	g_free(job->obj);
	g_free(job->fragment);
	g_free(job->note);
}
typedef struct job job;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(job, job_clear)

void build_result_clear(struct build_result *result)
{
	g_clear_pointer(&result->image, g_free);
	g_clear_pointer(&result->config, g_free);
	g_clear_pointer(&result->note, g_free);
}

/* ---- what it is built from and with ---- */

static bool read_release(struct job *job, GError **error)
{
	job->release = source_tree_version(job->spec->src, error);
	if (!job->release)
		return false;
	job->kernel = compiler_kernel(job->release);
	return job->kernel >= COMPILER_KERNEL(3, 10) ||
	       lab_fail(error, LAB_ERROR_UNSUPPORTED, "Linux %s is older than 3.10", job->release);
}

static struct compiler *take_installed(unsigned kernel, GError **error)
{
	g_autoptr(GPtrArray) have = compilers_installed();
	const struct compiler *best = compiler_choose(kernel, have, error);
	struct compiler *cc = best ? g_new0(struct compiler, 1) : NULL;

	if (cc)
		*cc = (struct compiler){ g_strdup(best->name), best->version };
	return cc;
}

static bool pick_compiler(struct job *job, GError **error)
{
	const char *name = job->spec->compiler;
	g_autofree char *version = NULL, *newest = NULL;

	if (name && !compiler_name_is_valid(name))
		return lab_fail(error, LAB_ERROR_UNSUPPORTED,
				"kernels are built with gcc, '%s' is none\nhint: \"gcc-10\"", name);
	job->cc = name ? compiler_ask(name, error) : take_installed(job->kernel, error);
	if (!job->cc)
		return false;
	if (compiler_is_known_good(job->kernel, job->cc->version))
		return true;
	version = compiler_version_text(job->cc->version);
	newest = compiler_version_text(compiler_rule(job->kernel)->newest);
	job->note = g_strdup_printf("built with %s; Linux %u.%u is known to be good with up to %s",
				    version, job->kernel / 1000, job->kernel % 1000, newest);
	return true;
}

/* The flags stand in CC itself: boot code and cc-option see no others. */
static void compose_compiler(struct job *job)
{
	g_autofree char *target = compiler_flags(job->kernel, job->cc->version, COMPILER_TARGET);
	g_autofree char *host = compiler_flags(job->kernel, job->cc->version, COMPILER_HOST);
	g_autofree char *ccache = g_find_program_in_path("ccache");

	job->cc_line = g_strdup_printf("%s%s%s%s", ccache ? "ccache " : "", job->cc->name,
				       *target ? " " : "", target);
	job->host_line = g_strdup_printf("%s%s%s", job->cc->name, *host ? " " : "", host);
}

static bool compose_config(struct job *job, GError **error)
{
	const struct build_spec *spec = job->spec;
	size_t len = spec->config ? strlen(spec->config) : 0;

	job->wanted = config_set_new();
	job->user = config_set_new();
	return build_config_shipped(job->kernel, job->wanted, error) &&
	       (!spec->config ||
		(config_set_read(job->user, spec->config_name, spec->config, len, error) &&
		 config_set_read(job->wanted, spec->config_name, spec->config, len, error)));
}

static bool have_tools(const struct job *job, GError **error)
{
	bool btf = !strcmp(config_set_get(job->user, "CONFIG_DEBUG_INFO_BTF"), "y");
	g_autofree char *missing = build_missing_packages(btf ? BUILD_NEEDS_PAHOLE : 0);

	return !missing || lab_fail(error, LAB_ERROR_UNAVAILABLE,
				    "building a kernel needs tools of these packages: %s\n"
				    "hint: apt-get install %s",
				    missing, missing);
}

static bool have_place(const struct build_spec *spec, GError **error)
{
	struct statvfs fs;
	uint64_t mib;

	if (strpbrk(spec->dir, " \t\n:") || strpbrk(spec->src, " \t\n:"))
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"kernels cannot be built in '%s': their Makefiles take no blanks "
				"and colons\nhint: set XDG_CACHE_HOME to another folder",
				spec->dir);
	if (statvfs(spec->dir, &fs))
		return lab_fail_errno(error, "cannot ask for the room in '%s'", spec->dir);
	mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	return mib >= ROOM_MIB ||
	       lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"building a kernel needs %u MiB in '%s', which has "
			"%" G_GUINT64_FORMAT
			"\nhint: set XDG_CACHE_HOME to a folder on a larger disk",
			ROOM_MIB, spec->dir, mib);
}

/* ---- the folder of objects ---- */

static void name_objects(struct job *job)
{
	g_autofree char *text = config_set_text(job->wanted);
	g_autofree char *all =
		g_strdup_printf("recipe %d\n%s %u\n%s\n%s\n%s", RECIPE, job->cc->name,
				job->cc->version, job->cc_line, job->host_line, text);
	g_autofree char *sha256 = fs_sha256_bytes(all, strlen(all));

	job->obj = g_strdup_printf("%s/obj-%.*s", job->spec->dir, KEY_DIGITS, sha256);
	job->fragment = g_build_filename(job->obj, "klab-fragment", NULL);
}

static int64_t changed_at(const char *path)
{
	GStatBuf st;

	return g_stat(path, &st) ? 0 : (int64_t)st.st_mtime;
}

static int by_age(gconstpointer a, gconstpointer b)
{
	int64_t x = changed_at(*(char *const *)a), y = changed_at(*(char *const *)b);

	return x > y ? -1 : x < y;
}

/* The folders that were used last stay. What cannot be removed is in nobody's way. */
static void prune_objects(const struct job *job)
{
	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(job->spec->dir, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(job->spec->dir, name, NULL);

		if (g_str_has_prefix(name, "obj-") && strcmp(path, job->obj))
			g_ptr_array_add(others, g_steal_pointer(&path));
	}
	g_ptr_array_sort(others, by_age);
	for (guint i = OBJECTS_KEPT; i < others->len; i++)
		fs_remove(others->pdata[i], NULL);
}

static bool open_objects(struct job *job, GError **error)
{
	g_autofree char *building = g_build_filename(job->obj, BUILDING, NULL);
	g_autofree char *steps = g_build_filename(job->obj, STEPS, NULL), *text = NULL;

	prune_objects(job);
	if (!fs_mkdir(job->obj, error))
		return false;
	g_utime(job->obj, NULL);
	job->steps_total = STEPS_GUESS;
	if (fs_read(steps, SMALL_MAX, &text, NULL, NULL))
		job->steps_total = CLAMP(g_ascii_strtoull(text, NULL, 10), 10, 1000000);
	if (!g_file_test(building, G_FILE_TEST_EXISTS))
		return true;
	progress_say(job->spec->progress, "%s: a build was interrupted, going on", job->spec->what);
	return build_forget_recent(job->obj, RECENT_S, error);
}

/* ---- configuring ---- */

/* Does any Kconfig file of the tree define it? */
static bool tree_has(const struct job *job, const char *option)
{
	g_autofree char *pattern = g_strdup_printf("^[[:space:]]*(menu)?config[[:space:]]+%s"
						   "[[:space:]]*$",
						   option + strlen("CONFIG_"));
	const char *const argv[] = {
		"grep", "-rqsE", "--include=Kconfig*", "-e", pattern, ".", NULL
	};
	struct proc_spec spec = { .argv = argv,
				  .cwd = job->spec->src,
				  .timeout_s = GREP_TIMEOUT_S };

	return proc_run(&spec, NULL, NULL, NULL);
}

static bool fail_options(const struct job *job, const GPtrArray *lost, const config_set *wanted,
			 const char *of, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < lost->len && i < TOLD_MAX; i++) {
		const char *option = lost->pdata[i];

		g_string_append_printf(text, "%s'%s=%s' (%s)", i ? ", " : " ", option,
				       config_set_get(wanted, option),
				       tree_has(job, option) ? "what it depends on is not met"
							     : "there is no such option");
	}
	if (lost->len > TOLD_MAX)
		g_string_append_printf(text, " and %u more", lost->len - TOLD_MAX);
	return lab_fail(error, LAB_ERROR_INPUT, "Linux %s does not take these options of %s:%s",
			job->release, of, text->str);
}

/* Options of ours that a release does not have are passed over; what a guest cannot do without and
 * what the user asked for is not. */
static bool check_config(const struct job *job, const char *config, GError **error)
{
	g_autoptr(config_set) got = config_set_new();
	g_autoptr(GPtrArray) lost = NULL, missing = NULL, passed = NULL;
	g_autofree char *of = NULL;

	if (!config_set_read(got, ".config", config, strlen(config), error))
		return false;
	lost = config_set_lost(job->user, got);
	of = g_strdup_printf("'%s'", job->spec->config_name);
	if (lost->len)
		return fail_options(job, lost, job->user, of, error);
	missing = build_config_missing(got);
	if (missing->len)
		return fail_options(job, missing, job->wanted, "which no guest boots without",
				    error);
	passed = config_set_lost(job->wanted, got);
	if (passed->len)
		progress_say(job->spec->progress, "%s: %u options of klab's are not in Linux %s",
			     job->spec->what, passed->len, job->release);
	return true;
}

static bool configure(struct job *job, struct build_make *make, GError **error)
{
	g_autofree char *text = config_set_text(job->wanted), *config = NULL;
	g_autofree char *path = g_build_filename(job->obj, ".config", NULL);

	return fs_write(job->fragment, text, strlen(text), error) &&
	       build_make_config(make, "allnoconfig", error) &&
	       fs_read(path, KERNEL_CONFIG_MAX, &config, NULL, error) &&
	       check_config(job, config, error);
}

/* ---- building ---- */

static void remember_steps(const struct job *job, unsigned steps)
{
	g_autofree char *path = g_build_filename(job->obj, STEPS, NULL);
	g_autofree char *text = g_strdup_printf("%u\n", steps);

	fs_write(path, text, strlen(text), NULL);
}

static bool make_image(struct job *job, struct build_make *make, GError **error)
{
	g_autofree char *building = g_build_filename(job->obj, BUILDING, NULL);

	if (!fs_write(building, "", 0, error) || !build_make_image(make, error))
		return false;
	remember_steps(job, make->steps);
	return !unlink(building) || lab_fail_errno(error, "cannot remove '%s'", building);
}

static bool read_result(struct job *job, struct build_result *ret, GError **error)
{
	g_autofree char *image = g_build_filename(job->obj, "arch/x86/boot/bzImage", NULL);
	g_autofree char *config = g_build_filename(job->obj, ".config", NULL);
	struct build_result result = { 0 };

	if (!fs_read(image, KERNEL_IMAGE_MAX, &result.image, &result.image_len, error) ||
	    !fs_read(config, KERNEL_CONFIG_MAX, &result.config, NULL, error)) {
		build_result_clear(&result);
		return false;
	}
	result.note = g_steal_pointer(&job->note);
	*ret = result;
	return true;
}

static bool build(struct job *job, struct build_result *ret, GError **error)
{
	struct build_make make = {
		.dir = job->obj,
		.src = job->spec->src,
		.obj = job->obj,
		.cc = job->cc_line,
		.hostcc = job->host_line,
		.fragment = job->fragment,
		.host = job->spec->host,
		.localversion = job->spec->localversion,
		.timestamp = job->spec->timestamp,
		.what = job->spec->what,
		.jobs = g_get_num_processors(),
		.steps_total = job->steps_total,
		.progress = job->spec->progress,
	};

	progress_say(job->spec->progress, "%s: Linux %s, %s", job->spec->what, job->release,
		     job->cc_line);
	return configure(job, &make, error) && make_image(job, &make, error) &&
	       read_result(job, ret, error);
}

bool build_kernel(const struct build_spec *spec, struct build_result *ret, GError **error)
{
	g_auto(job) job = { .spec = spec };

	if (!have_place(spec, error) || !read_release(&job, error) ||
	    !compose_config(&job, error) || !have_tools(&job, error) || !pick_compiler(&job, error))
		return false;
	compose_compiler(&job);
	name_objects(&job);
	return open_objects(&job, error) && build(&job, ret, error);
}
