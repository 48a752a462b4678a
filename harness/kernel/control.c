// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Control kernels: which bugs they carry, what they are built from, and the cache of results. The
 * steps of a build are in control_tree.c, what it leaves is in control_result.c.
 */
#include "kernel/control.h"

#include "base/embed.h"
#include "base/fs.h"
#include "base/proc.h"
#include "kernel/aptroot.h"
#include "kernel/control_result.h"
#include "kernel/control_tree.h"

#include <stdio.h>

#define RECIPE 3 /* raise when control_tree.c builds differently */
#define PACKAGE "linux-source-6.1"
#define SUITES "bookworm,bookworm-security"
#define LOCK_TIMEOUT_S (4 * 3600)
#define COMPILER_TIMEOUT_S 30
#define SMALL_MAX 4096 /* bytes of the cache's own marks */
#define IMAGE_MAX (256u << 20)
#define STEPS_GUESS 1360 /* lines of make for the shipped fragment on 6.1.192 */
#define STEPS_RELINK 120 /* after a few files have changed */
#define HASH_DIGITS 16

#define BPF_TRACE "kernel/trace/bpf_trace.c"

const char *const control_names[CONTROL__COUNT] = { "clean", "bad", "bad-2", "bad-3", "races" };

const struct control_bug control_bugs[] = {
	{ "bpf-hash-nmi-deadlock", CONTROL_CLEAN, "bpf-nmi-hash", .is_native = true },
	{ "perf-group-offline-uaf", CONTROL_CLEAN, "perf-group-offline", .is_native = true },

	{ "nmi-user-read-deadlock", CONTROL_BAD, "nmi-user-read", "mm/usercopy.c",
	  embed_control_nmi_cocci },
	{ "nmi-user-read-deadlock", CONTROL_BAD, "irq-user-read" },
	{ "text-poke-race", CONTROL_BAD, "text-poke", "arch/x86/kernel/alternative.c",
	  embed_control_poke_cocci },

	{ "bpf-queue-nmi-deadlock", CONTROL_BAD_2, "bpf-nmi-maps", "kernel/bpf/queue_stack_maps.c",
	  embed_control_queue_cocci },
	{ "bpf-signal-rq-deadlock", CONTROL_BAD_2, "sched-trace", BPF_TRACE,
	  embed_control_signal_cocci },
	{ "raw-tp-recursion", CONTROL_BAD_2, "bpf-attach", BPF_TRACE,
	  embed_control_recursion_cocci },
	{ "kprobe-jle-emulation", CONTROL_BAD_2, "kprobe-churn",
	  "arch/x86/include/asm/text-patching.h", embed_control_jle_cocci },

	{ "bpf-int3-kprobe-lost", CONTROL_BAD_3, "bpf-attach", BPF_TRACE,
	  embed_control_int3_cocci },
	{ "kprobe-indirect-call-emulation", CONTROL_BAD_3, "kprobe-churn",
	  "arch/x86/kernel/kprobes/core.c", embed_control_indirect_cocci },

	{ "eventfd-lost-update", CONTROL_RACES, "shared-counter", "fs/eventfd.c",
	  embed_control_eventfd_cocci, .is_fixture = true },
	{ "futex-lock-order", CONTROL_RACES, "lock-order", "kernel/futex/futex.h",
	  embed_control_futex_cocci, .is_fixture = true },
	{ NULL },
};

const struct control_bug *control_bug_for(enum control control, const char *probe)
{
	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++)
		if (bug->control == control && !strcmp(bug->probe, probe))
			return bug;
	return NULL;
}

struct build {
	const struct control_params *params;
	const struct progress *progress;
	char *dir;              /* of all controls */
	char *compiler;         /* first line of `gcc --version`, or "" without one */
	char *inputs;           /* hash of all but the source package */
	char *version, *sha256; /* of the source package */
	char *key;              /* hash with the source package */
	json_t *patches;        /* what they changed, for the manifest */
	double seconds[CONTROL__COUNT];
	unsigned steps;
};

static void build_clear(struct build *b)
{
	g_free(b->dir);
	g_free(b->compiler);
	g_free(b->inputs);
	g_free(b->version);
	g_free(b->sha256);
	g_free(b->key);
	json_decref(b->patches);
}
typedef struct build build;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(build, build_clear)

/* ---- keys ---- */

/* Without a compiler there is nothing to build, but a cached result may still do. */
static char *compiler_version(void)
{
	static const char *const argv[] = { "gcc", "--version", NULL };
	static const char *const env[] = { "LC_ALL=C", NULL };
	struct proc_spec spec = { .argv = argv, .env = env, .timeout_s = COMPILER_TIMEOUT_S };
	char *text = NULL;

	if (!proc_run(&spec, &text, NULL, NULL))
		return g_strdup("");
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static char *hash_text(const GString *text)
{
	char *sha256 = fs_sha256_bytes(text->str, text->len);

	sha256[HASH_DIGITS] = '\0';
	return sha256;
}

static char *inputs_hash(const struct build *b)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const char *source = b->params->source;

	g_string_append_printf(text, "recipe %d\n%s\nsource %s\n%s\n", RECIPE, b->compiler,
			       source ? source : PACKAGE, embed_control_config);
	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++)
		if (bug->patch)
			g_string_append_printf(text, "%s %s\n%s\n", control_names[bug->control],
					       bug->file, bug->patch);
	return hash_text(text);
}

static char *full_key(const struct build *b)
{
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_append_printf(text, "%s\n%s\n%s\n", b->inputs, b->version, b->sha256);
	return hash_text(text);
}

/* ---- the cache ---- */

static bool cached_load(const struct build *b, const char *key, struct kernel *ret[CONTROL__COUNT],
			GError **error)
{
	g_autofree char *dir = g_build_filename(b->dir, key, NULL);

	return control_result_load(dir, ret, error);
}

/* The newest result of the same inputs is named by INPUTS.json: no package is asked for then. */
static bool latest_load(const struct build *b, struct kernel *ret[CONTROL__COUNT])
{
	g_autofree char *path = g_strdup_printf("%s/%s.json", b->dir, b->inputs);
	json_t *latest = control_json_read(path);
	const char *key = json_string_value(json_object_get(latest, "key"));
	bool ok = key && strlen(key) == HASH_DIGITS &&
		  strspn(key, "0123456789abcdef") == HASH_DIGITS && cached_load(b, key, ret, NULL);

	json_decref(latest);
	return ok;
}

static bool latest_write(const struct build *b, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%s.json", b->dir, b->inputs);
	json_t *root = json_pack("{ss ss}", "key", b->key, "package_version", b->version);
	bool ok = control_json_write(path, root, error);

	json_decref(root);
	return ok;
}

/* ---- the source package ---- */

/* Fetch (or take the user's) source; *ret_archive is where it lies. */
static bool source_get(struct build *b, const char *work, char **ret_archive, GError **error)
{
	g_autofree char *dir = g_build_filename(work, "package", NULL), *archive = NULL;
	struct apt_request req = {
		.suites = b->params->suites ? b->params->suites : SUITES,
		.package = PACKAGE,
		.refresh = b->params->refresh,
	};

	if (b->params->source) {
		archive = g_strdup(b->params->source);
		b->version = g_filename_display_basename(archive);
	} else if (!fs_mkdir(dir, error) ||
		   !aptroot_download(&req, dir, b->progress, &archive, &b->version, error)) {
		return lab_prefix(error, "control kernels: source package");
	}
	b->sha256 = fs_sha256(archive, error);
	if (!b->sha256)
		return false;
	b->key = full_key(b);
	*ret_archive = g_steal_pointer(&archive);
	return true;
}

/* A work folder that was begun with another source is of no use. */
static bool work_claim(const struct build *b, const char *work, GError **error)
{
	g_autofree char *path = g_build_filename(work, "source", NULL), *have = NULL;
	g_autofree char *unpacked = g_build_filename(work, "unpacked", NULL);
	g_autofree char *out = g_build_filename(work, "out", NULL);

	if (fs_read(path, SMALL_MAX, &have, NULL, NULL) && !strcmp(have, b->sha256))
		return true;
	return fs_remove(unpacked, error) && fs_remove(out, error) &&
	       fs_write(path, b->sha256, strlen(b->sha256), error);
}

/* ---- the build ---- */

static bool copy_file(const char *from, const char *to, GError **error)
{
	g_autofree char *data = NULL;
	size_t len;

	return fs_read(from, IMAGE_MAX, &data, &len, error) && fs_write(to, data, len, error);
}

/* Copy a file of the build to out/NAME.KIND. */
static bool keep(const struct control_tree *tree, const char *made, const char *out, unsigned which,
		 const char *kind, GError **error)
{
	g_autofree char *from = g_build_filename(tree->obj, made, NULL);
	g_autofree char *to = g_strdup_printf("%s/%s.%s", out, control_names[which], kind);

	return copy_file(from, to, error);
}

/* Make one image and keep it in out/, with the map that symbols read from it are checked against.
 * After an interruption make has little left to do. */
static bool image_make(struct build *b, struct control_tree *tree, unsigned which, const char *out,
		       GError **error)
{
	int64_t began_us = g_get_monotonic_time();

	if (!control_tree_make(tree, control_names[which], error) ||
	    !keep(tree, "arch/x86/boot/bzImage", out, which, "bzImage", error) ||
	    !keep(tree, "System.map", out, which, "System.map", error))
		return false;
	b->seconds[which] = (g_get_monotonic_time() - began_us) / 1e6;
	return true;
}

/* The tree as it was unpacked, and the bugs of one control. */
static bool tree_become(struct build *b, struct control_tree *tree, enum control which,
			GError **error)
{
	if (!control_tree_restore(tree, error))
		return false;
	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++) {
		g_autofree char *diff = NULL, *text = NULL;

		if (bug->control != which || !bug->patch)
			continue;
		if (!control_tree_patch(tree, bug, &diff, error))
			return false;
		text = g_utf8_make_valid(diff, -1);
		json_array_append_new(b->patches,
				      json_pack("{ss ss ss ss}", "control", control_names[which],
						"hazard", bug->hazard, "file", bug->file, "diff",
						text));
	}
	return true;
}

static void tree_tune(struct control_tree *tree, const struct build *b)
{
	g_autofree char *ccache = g_find_program_in_path("ccache");
	g_autofree char *path = g_build_filename(b->dir, "steps", NULL), *text = NULL;

	tree->compiler = ccache ? "ccache gcc" : "gcc";
	tree->jobs = b->params->jobs ? b->params->jobs : g_get_num_processors();
	tree->steps_total = STEPS_GUESS;
	if (fs_read(path, SMALL_MAX, &text, NULL, NULL))
		tree->steps_total = CLAMP(g_ascii_strtoull(text, NULL, 10), 100, 1000000);
}

/* How many lines a build from nothing prints, for the next one's percentage. */
static void steps_remember(struct build *b, const struct control_tree *tree)
{
	g_autofree char *path = g_build_filename(b->dir, "steps", NULL);
	g_autofree char *text = g_strdup_printf("%u\n", tree->steps);

	b->steps = tree->steps;
	/* A build that was resumed printed less than a whole one. */
	if (tree->steps > tree->steps_total / 2)
		fs_write(path, text, strlen(text), NULL);
}

/* Clean first: each bad kernel is then a few files and a link away. */
static bool build_images(struct build *b, struct control_tree *tree, const char *archive,
			 const char *out, GError **error)
{
	g_autofree char *from = g_build_filename(tree->obj, ".config", NULL);
	g_autofree char *to = g_build_filename(out, "config", NULL);

	tree_tune(tree, b);
	if (!control_tree_unpack(tree, archive, error) ||
	    !control_tree_configure(tree, embed_control_config, error) || !fs_mkdir(out, error) ||
	    !copy_file(from, to, error))
		return false;
	for (enum control i = CONTROL_CLEAN; i < CONTROL__COUNT; i++) {
		if (!tree_become(b, tree, i, error) || !image_make(b, tree, i, out, error))
			return false;
		if (i == CONTROL_CLEAN)
			steps_remember(b, tree);
		tree->steps_total = STEPS_RELINK;
	}
	return true;
}

static bool publish(const struct build *b, const char *work, const char *out, GError **error)
{
	g_autofree char *dir = g_build_filename(b->dir, b->key, NULL);
	struct control_facts facts = {
		.key = b->key,
		.package = PACKAGE,
		.package_version = b->version,
		.package_sha256 = b->sha256,
		.compiler = b->compiler,
		.patches = b->patches,
		.steps = b->steps,
	};

	memcpy(facts.seconds, b->seconds, sizeof(facts.seconds));
	if (!control_result_write(out, &facts, error) || !fs_remove(dir, error))
		return false;
	if (rename(out, dir))
		return lab_fail_errno(error, "cannot move '%s' to '%s'", out, dir);
	if (!latest_write(b, error))
		return false;
	fs_remove(work, NULL); /* a GiB; what is left of it goes with the next build */
	return true;
}

static bool build_all(struct build *b, const char *work, const char *archive, GError **error)
{
	g_autofree char *out = g_build_filename(work, "out", NULL);
	struct control_tree tree;
	bool ok;

	control_tree_init(&tree, work, b->progress);
	ok = work_claim(b, work, error) && build_images(b, &tree, archive, out, error) &&
	     publish(b, work, out, error);
	control_tree_clear(&tree);
	return ok;
}

static bool have_tools(GError **error)
{
	g_autofree char *missing = control_missing_packages();

	return !missing || lab_fail(error, LAB_ERROR_UNAVAILABLE,
				    "building control kernels needs tools of these packages: %s\n"
				    "hint: apt-get install %s",
				    missing, missing);
}

static int build_lock(const struct build *b, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%s.lock", b->dir, b->inputs);
	int fd = fs_lock(path, 0, NULL);

	if (fd >= 0)
		return fd;
	progress_say(b->progress, "control kernels: another klab builds them, waiting");
	return fs_lock(path, LOCK_TIMEOUT_S, error);
}

bool control_build(const struct control_params *params, const struct progress *progress,
		   struct kernel *ret[CONTROL__COUNT], GError **error)
{
	g_auto(build) b = { .params = params, .progress = progress, .patches = json_array() };
	g_autofree char *work = NULL, *archive = NULL;
	auto_fd lock = -1;

	b.dir = fs_cache_dir("controls", error);
	if (!b.dir)
		return false;
	b.compiler = compiler_version();
	b.inputs = inputs_hash(&b);
	work = g_strdup_printf("%s/work-%s", b.dir, b.inputs);
	lock = build_lock(&b, error);
	if (lock < 0)
		return false;
	if (!params->refresh && latest_load(&b, ret))
		return true;
	if (!have_tools(error) || !fs_mkdir(work, error) || !source_get(&b, work, &archive, error))
		return false;
	/* The source may be the one that was built already. */
	if (cached_load(&b, b.key, ret, NULL))
		return fs_remove(work, error);
	return build_all(&b, work, archive, error) && cached_load(&b, b.key, ret, error);
}
