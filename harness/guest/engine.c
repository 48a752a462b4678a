// SPDX-License-Identifier: GPL-2.0-or-later
/* What QEMU is this, and does an accelerator of it work here. */
#include "guest/engine.h"

#include "base/fs.h"
#include "base/proc.h"
#include "guest/accel_guest.h"

#include <errno.h>
#include <glib/gstdio.h>

#define VERSION_TIMEOUT_S 20
/* The tiny guest takes 0.3 s under TCG on an idle host; KVM that works is no slower. */
#define TCG_TIMEOUT_S 20
#define KVM_TIMEOUT_S 3
#define OUTPUT_MAX (64u << 10)

void engine_free(struct engine *e)
{
	if (!e)
		return;
	g_free(e->binary);
	g_free(e->version);
	g_free(e->sha256);
	g_strfreev(e->args);
	g_strfreev(e->env);
	g_free(e);
}

struct engine *engine_copy(const struct engine *e)
{
	struct engine *copy = g_new(struct engine, 1);

	*copy = (struct engine){ .binary = g_strdup(e->binary),
				 .version = g_strdup(e->version),
				 .major = e->major,
				 .minor = e->minor,
				 .micro = e->micro,
				 .sha256 = g_strdup(e->sha256),
				 .args = g_strdupv(e->args),
				 .env = g_strdupv(e->env) };
	return copy;
}

/* A private copy finds its libraries, modules and firmware below its own root. */
static void set_prefix(struct engine *e, const char *prefix)
{
	static const char lib[] = "usr/lib/x86_64-linux-gnu";
	GPtrArray *args = g_ptr_array_new(), *env = g_ptr_array_new();

	if (prefix) {
		const char *old = g_getenv("LD_LIBRARY_PATH");

		g_ptr_array_add(args, g_strdup("-L"));
		g_ptr_array_add(args, g_build_filename(prefix, "usr/share/qemu", NULL));
		g_ptr_array_add(args, g_strdup("-L"));
		g_ptr_array_add(args, g_build_filename(prefix, "usr/share/seabios", NULL));
		g_ptr_array_add(env, g_strdup_printf("LD_LIBRARY_PATH=%s/%s:%s/%s%s%s", prefix, lib,
						     prefix, lib + strlen("usr/"), old ? ":" : "",
						     old ? old : ""));
		g_ptr_array_add(env, g_strdup_printf("QEMU_MODULE_DIR=%s/%s/qemu", prefix, lib));
	}
	g_ptr_array_add(args, NULL);
	g_ptr_array_add(env, NULL);
	e->args = (char **)g_ptr_array_free(args, FALSE);
	e->env = (char **)g_ptr_array_free(env, FALSE);
}

bool engine_version_parse(const char *text, struct engine *e)
{
	static const char prefix[] = "QEMU emulator version ";
	const char *at = strstr(text, prefix);

	if (!at)
		return false;
	at += strlen(prefix);
	if (sscanf(at, "%4u.%4u.%4u", &e->major, &e->minor, &e->micro) != 3)
		return false;
	e->version = g_strchomp(g_strndup(at, strcspn(at, "\n")));
	return true;
}

static bool ask_version(struct engine *e, GError **error)
{
	struct proc_spec spec = { .argv = (const char *const[]){ e->binary, "--version", NULL },
				  .env = (const char *const *)e->env,
				  .timeout_s = VERSION_TIMEOUT_S, .output_max = OUTPUT_MAX };
	g_autofree char *output = NULL;

	if (!proc_run(&spec, &output, NULL, error))
		return false;
	if (!engine_version_parse(output, e))
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"'%s' is no QEMU: '--version' says '%.*s'", e->binary,
				(int)MIN(strcspn(output, "\n"), 100u), output);
	return true;
}

bool engine_probe(const char *binary, const char *prefix, struct engine **ret, GError **error)
{
	g_autoptr(engine) e = g_new0(struct engine, 1);
	g_autoptr(GError) own = NULL;
	g_autofree char *found = g_find_program_in_path(binary);

	if (!found)
		return lab_fail(
			error, LAB_ERROR_UNAVAILABLE,
			"QEMU '%s' is not there, or not executable\n"
			"hint: klab fetches its own when neither --qemu nor KLAB_QEMU is given",
			binary);
	e->binary = g_canonicalize_filename(found, NULL);
	set_prefix(e, prefix);
	e->sha256 = fs_sha256(e->binary, error);
	if (!e->sha256)
		return false;
	if (!ask_version(e, &own))
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "QEMU cannot be used: %s",
				own->message);
	*ret = g_steal_pointer(&e);
	return true;
}

bool engine_is_sound(const struct engine *e)
{
	return e->major >= ENGINE_MAJOR_MIN;
}

/* ---- accelerators ---- */

static char *boot_id(void)
{
	g_autofree char *id = NULL;

	if (!fs_read("/proc/sys/kernel/random/boot_id", 100, &id, NULL, NULL))
		return g_strdup("");
	return g_strdup(g_strstrip(id));
}

/* One answer per QEMU build, accelerator and boot of this host; "" is "it works". */
static char *cache_path(const struct engine *e, const char *accel)
{
	g_autofree char *dir = fs_cache_dir("engine/accel", NULL), *id = boot_id(), *key = NULL;
	g_autofree char *sum = NULL;

	if (!dir || !*id)
		return NULL;
	key = g_strjoin(" ", e->sha256, accel, id, NULL);
	sum = fs_sha256_bytes(key, strlen(key));
	return g_build_filename(dir, sum, NULL);
}

/* QEMU's own complaint, or what the missing token means. */
static char *explain(const char *output, int status)
{
	g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

	for (char **l = lines; *l; l++)
		if (strstr(*l, "qemu-system") && !strstr(*l, "warning:"))
			return g_utf8_make_valid(*l, -1);
	return g_strdup_printf("64-bit code did not run (QEMU's exit code %d)", status);
}

static char *boot_accel_guest(const struct engine *e, const char *accel, const char *image)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	const char *fixed[] = { "-accel", accel, "-nodefaults", "-no-user-config", "-no-reboot",
				"-display", "none", "-machine", "pc", "-net", "none", "-cpu", "max",
				"-m", "32", "-kernel", image, "-debugcon", "stdio", "-device",
				"isa-debug-exit,iobase=0xf4,iosize=4", NULL };
	struct proc_spec spec = { .env = (const char *const *)e->env, .output_max = OUTPUT_MAX,
				  .timeout_s = strcmp(accel, "tcg") ? KVM_TIMEOUT_S :
								      TCG_TIMEOUT_S };
	g_autofree char *output = NULL;
	g_autoptr(GError) error = NULL;
	int status = 0;

	g_ptr_array_add(argv, e->binary);
	for (char **arg = e->args; *arg; arg++)
		g_ptr_array_add(argv, *arg);
	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++)
		g_ptr_array_add(argv, (char *)fixed[i]);
	spec.argv = (const char *const *)argv->pdata;
	if (!proc_run(&spec, &output, &status, &error))
		return g_strdup(error->message);
	if (status == ACCEL_GUEST_STATUS && strstr(output, ACCEL_GUEST_TOKEN))
		return NULL;
	return explain(output, status);
}

/* Why it does not work, or NULL. */
static char *try_accel(const struct engine *e, const char *accel)
{
	char *why;
	g_autofree char *image = accel_guest_write(&why);

	if (!image)
		return why;
	why = boot_accel_guest(e, accel, image);
	g_unlink(image);
	return why;
}

static bool answer(char *why, char **ret_why)
{
	bool works = !why || !*why;

	if (works)
		g_clear_pointer(&why, g_free);
	if (ret_why)
		*ret_why = why;
	else
		g_free(why);
	return works;
}

bool engine_accel_works(const struct engine *e, const char *accel, char **ret_why)
{
	g_autofree char *path = NULL, *cached = NULL;
	char *why;

	/* Permissions may change without a reboot: not for the cache. */
	if (!strcmp(accel, "kvm") && access("/dev/kvm", R_OK | W_OK))
		return answer(g_strdup_printf("/dev/kvm: %s", g_strerror(errno)), ret_why);
	path = cache_path(e, accel);
	if (path && fs_read(path, 4096, &cached, NULL, NULL))
		return answer(g_steal_pointer(&cached), ret_why);
	why = try_accel(e, accel);
	if (path)
		fs_write(path, why ? why : "", why ? strlen(why) : 0, NULL);
	return answer(why, ret_why);
}
