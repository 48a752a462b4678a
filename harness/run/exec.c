// SPDX-License-Identifier: GPL-2.0-or-later
/* From a job spec to a finished journal. */
#include "run/exec.h"

#include "base/embed.h"
#include "base/fs.h"
#include "guest/initramfs.h"
#include "kernel/hold.h"
#include "run/facts.h"
#include "run/fit.h"
#include "run/turn.h"
#include "store/journal.h"

#include <string.h>
#include <sys/stat.h>

#define SYMBOLS_FILE_MAX (48u << 20)
#define FROM_IMAGE "# from the image\n"	/* first line of a cached list; no symbol, so skipped */
#define LOCK_LIMIT_S 300	/* another job of this kernel is at its symbol boot */

struct execution {
	const struct job *job;
	const char *dir;
	const struct progress *progress;
	const volatile sig_atomic_t *interrupted;
	char *initrd;
	struct symbols *symbols;
	const char *symbols_from;	/* "image", "guest" or "none" */
	struct amplifier *amplifier;
	struct turn turn;
};

static void execution_clear(struct execution *x)
{
	g_free(x->initrd);
	symbols_free(x->symbols);
	amplifier_free(x->amplifier);
	turn_end(&x->turn);
}

static bool check_inputs(struct execution *x, GError **error)
{
	g_autofree char *image = fs_sha256(x->job->kernel->image, error);
	g_autofree char *agent = NULL;

	kernel_hold(x->job->kernel->image);	/* not to be collected while the job runs */
	if (!image)
		return lab_prefix(error, "kernel image");
	if (strcmp(image, x->job->kernel->sha256) != 0)
		return lab_fail(error, LAB_ERROR_INPUT, "kernel image '%s' has sha256 %s, the job wants %s",
				x->job->kernel->image, image, x->job->kernel->sha256);
	if (!initramfs_get(embed_init, EMBED_LEN(init), &x->initrd, &agent, error))
		return false;
	if (strcmp(agent, x->job->agent_sha256) != 0)
		return lab_fail(error, LAB_ERROR_INPUT,
				"the job was planned by another build of klab\n"
				"hint: plan it again with this one");
	return true;
}

static bool check_memory(const struct execution *x, GError **error)
{
	struct stat initrd;

	if (stat(x->initrd, &initrd))
		return lab_fail_errno(error, "'%s'", x->initrd);
	return fit_check(x->job->kernel->image, initrd.st_size, x->job->mem_mib, error);
}

static struct session_params session_of(struct execution *x, enum session_purpose purpose)
{
	return (struct session_params){
		.purpose = purpose,
		.job = x->job,
		.backend = x->job->host ? &guest_backend_libvirt : &guest_backend_qemu,
		.dir = x->dir,
		.initrd = x->initrd,
		.interrupted = x->interrupted,
		.turn = &x->turn,
	};
}

static bool boot_for_symbols(struct execution *x, char **ret_text, enum job_end *ret_end,
			     GError **error)
{
	struct session_params params = session_of(x, SESSION_SYMBOLS);
	struct job small = *x->job;	/* shallow: one vCPU sends as fast as many, and boots faster */

	small.smp = 1;
	params.job = &small;
	progress_say(x->progress, "%s: first boot, reading its symbols", x->job->kernel->id);
	return session_run(&params, ret_end, ret_text, error);
}

/* The image's own table spares the first boot: NULL if it has none that can be read. */
static char *symbols_of_image(const struct execution *x)
{
	g_autoptr(facts) f = NULL;
	g_autofree char *text = NULL;

	if (!facts_load(x->job->kernel->image, &f, NULL) || !f->kallsyms)
		return NULL;
	text = kallsyms_text(f->kallsyms);
	return g_strconcat(FROM_IMAGE, text, NULL);
}

static bool first_contact(struct execution *x, const char *path, char **ret_text,
			  enum job_end *ret_end, GError **error)
{
	g_autofree char *text = symbols_of_image(x);

	if (!text && !boot_for_symbols(x, &text, ret_end, error))
		return false;
	if (text && !fs_write(path, text, strlen(text), error))
		return false;
	*ret_text = g_steal_pointer(&text);
	return true;
}

/* *ret_end is JOB_END_DONE when there is nothing against going on (with or without symbols). */
static bool get_symbols(struct execution *x, enum job_end *ret_end, GError **error)
{
	g_autofree char *dir = fs_cache_dir("symbols", error);
	g_autofree char *path = NULL, *lock = NULL, *text = NULL;
	size_t len;
	auto_fd held = -1;

	if (!dir)
		return false;
	path = g_strdup_printf("%s/%s.txt", dir, x->job->kernel->sha256);
	lock = g_strdup_printf("%s/%s.lock", dir, x->job->kernel->sha256);
	held = fs_lock(lock, LOCK_LIMIT_S, error);
	if (held < 0)
		return false;
	*ret_end = JOB_END_DONE;
	if (!(g_file_test(path, G_FILE_TEST_EXISTS) ?
	      fs_read(path, SYMBOLS_FILE_MAX, &text, &len, error) :
	      first_contact(x, path, &text, ret_end, error)))
		return false;
	x->symbols = text && *text ? symbols_parse(text, strlen(text)) : NULL;
	x->symbols_from = !x->symbols ? "none" :
			  g_str_has_prefix(text, FROM_IMAGE) ? "image" : "guest";
	return true;
}

static bool execute(struct execution *x, enum job_end *ret_end, GError **error)
{
	struct session_params params;

	if (!check_inputs(x, error) || !check_memory(x, error) ||
	    !turn_take(x->job->alone, TURN_LIMIT_S, x->progress, x->interrupted, &x->turn, error) ||
	    !get_symbols(x, ret_end, error))
		return false;
	if (*ret_end != JOB_END_DONE)
		return true;	/* the boot for symbols failed: its journal tells why */
	if (!amplifier_new(x->job, x->symbols, &x->amplifier, error))
		return false;
	params = session_of(x, SESSION_PROBE);
	params.amplifier = x->amplifier;
	params.symbols = x->symbols;
	params.symbols_from = x->symbols_from;
	progress_say(x->progress, "%s: %s on %u vCPUs", x->job->kernel->id, x->job->probe,
		     x->job->smp);
	return session_run(&params, ret_end, NULL, error);
}

/* A failure before the guest started is told by the journal too. */
static bool write_failure(const char *dir, const GError *why, GError **error)
{
	g_autoptr(journal) j = NULL;

	return journal_create(dir, &j, error) &&
	       journal_event(j, 0, "end",
			     json_pack("{s:s, s:s}", "end", job_end_name(JOB_END_LAB), "detail",
				       why->message), true, error);
}

bool job_execute(const struct job *job, const char *dir, const struct progress *progress,
		 const volatile sig_atomic_t *interrupted, GError **error)
{
	struct execution x = { .job = job, .dir = dir, .progress = progress,
			       .interrupted = interrupted, .turn = TURN_NONE };
	g_autoptr(GError) why = NULL;
	enum job_end end;
	bool ok = execute(&x, &end, &why);

	execution_clear(&x);
	if (g_error_matches(why, LAB_ERROR, LAB_ERROR_NO_SPACE)) {
		/* no word on the kernel and none on the lab: the job is still to be done */
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	return ok || write_failure(dir, why, error);
}
