// SPDX-License-Identifier: GPL-2.0-or-later
/* klab boot KERNEL [-- CMD [ARG]...]: a shell or one command in a kernel, with its exit code. */
#include "cmd/cmd.h"
#include "cmd/lab_host.h"

#include "base/embed.h"
#include "guest/initramfs.h"
#include "run/boot.h"
#include "run/boot_files.h"
#include "run/fit.h"
#include "run/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

/* As env(1) and podman(1) have them: the command's own codes lie below. */
enum { EXIT_OWN_FAILURE = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

#define OLD_MAJOR 4 /* 3.x does not run its init on the newest CPU model */
#define OLD_MODEL "Haswell-noTSX"
#define SMP_DEFAULT 4

struct options {
	char *append, *busybox, *cpu, *accel, *qemu, *config, *connect;
	char **files;
	int smp, memory, timeout, boot_timeout;
	gboolean verbose;
	char **command; /* behind "--", NULL: a shell; borrowed */
	bool tty;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

/* --- the terminal --------------------------------------------------------------------------------
 */

static struct termios terminal_saved;
static bool terminal_is_raw;

static void terminal_restore(void)
{
	if (terminal_is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_saved);
	terminal_is_raw = false;
}

static bool terminal_raw(GError **error)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal_saved))
		return lab_fail_errno(error, "the terminal");
	raw = terminal_saved;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
		return lab_fail_errno(error, "the terminal");
	terminal_is_raw = true;
	return true;
}

static struct boot_window window(void *user)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	return (struct boot_window){ size.ws_row, size.ws_col };
}

/* Whoever reads may stop for as long as he likes, but not against a signal. */
static bool write_fd(int fd, const char *data, size_t len, GError **error)
{
	while (len && !interrupted) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n = poll(&p, 1, 1000) > 0 ? write(fd, data, MIN(len, 4096)) : 0;

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return lab_fail_errno(error, fd == STDOUT_FILENO ? "stdout" : "stderr");
		data += MAX(n, 0);
		len -= MAX(n, 0);
	}
	return true;
}

static bool output(enum boot_stream stream, const void *data, size_t len, void *user,
		   GError **error)
{
	const struct options *o = user;

	if (stream == BOOT_CONSOLE && !o->verbose && !o->tty)
		return true;
	return write_fd(stream == BOOT_STDOUT ? STDOUT_FILENO : STDERR_FILENO, data, len, error);
}

static void help(void *user)
{
	static const char text[] =
		"\r\nCtrl-A H  this help\r\nCtrl-A X  leave: the guest is ended\r\n"
		"Ctrl-A Ctrl-A  send a Ctrl-A\r\n";

	write_fd(STDERR_FILENO, text, sizeof(text) - 1, NULL);
}

/* --- what is booted ------------------------------------------------------------------------------
 */

static bool choose_kernel(struct lab *lab, const char *name, struct kernel **ret, GError **error)
{
	const char *const names[] = { name, NULL };
	g_autoptr(GPtrArray) specs = NULL;
	g_autoptr(GString) ids = g_string_new(NULL);

	if (!matrix_select(lab->matrix, names, &specs, error))
		return false;
	for (guint i = 0; i < specs->len && i < 5; i++)
		g_string_append_printf(ids, "%s%s", i ? ", " : "",
				       ((struct kernel_spec *)specs->pdata[i])->id);
	if (specs->len == 1)
		return kernel_fetch(specs->pdata[0], &cmd_progress, ret, error);
	return lab_fail(error, LAB_ERROR_USAGE,
			"'%s' means %u kernels: %s%s\n"
			"hint: name one of them",
			name, specs->len, ids->str, specs->len > 5 ? ", ..." : "");
}

/* Busybox is no must for a program that the user brings along. */
static bool brings_its_own(const struct options *o, const GPtrArray *files)
{
	for (guint i = 0; o->command && i < files->len; i++)
		if (!strcmp(o->command[0], ((struct boot_file *)files->pdata[i])->guest))
			return true;
	return false;
}

static bool make_initrd(const struct options *o, struct boot_initrd *ret, GError **error)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func((GDestroyNotify)boot_file_free);
	g_autofree char *agent = NULL, *sha256 = NULL, *busybox = NULL;
	g_autoptr(GError) why = NULL;

	for (char **text = o->files; text && *text; text++) {
		struct boot_file *file;

		if (!boot_file_parse(*text, &file, error))
			return lab_prefix(error, "--file");
		g_ptr_array_add(files, file);
	}
	if (!boot_busybox_find(o->busybox, &busybox, &why) &&
	    (o->busybox || !brings_its_own(o, files))) {
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	return initramfs_get(embed_init, EMBED_LEN(init), &agent, &sha256, error) &&
	       boot_initrd_make(agent, busybox, files, ret, error);
}

static const char *cpu_model(const struct options *o, const struct lab *lab, const struct kernel *k)
{
	const char *usual = run_cpu_models(lab->accel)[0];

	if (o->cpu)
		return o->cpu;
	return !strcmp(lab->accel, "tcg") && g_ascii_strtoull(k->release, NULL, 10) < OLD_MAJOR
		       ? OLD_MODEL
		       : usual;
}

static GPtrArray *environment(const struct kernel *k)
{
	GPtrArray *env = g_ptr_array_new_with_free_func(g_free);
	const char *term = g_getenv("TERM");

	g_ptr_array_add(env,
			g_strdup_printf("TERM=%s",
					term && g_utf8_validate(term, -1, NULL) ? term : "dumb"));
	g_ptr_array_add(env, g_strdup_printf("PS1=%s:\\w# ", k->release));
	g_ptr_array_add(env, NULL);
	return env;
}

/* --- the end -------------------------------------------------------------------------------------
 */

static int tell_failure(const struct boot_result *r)
{
	g_autofree char *line = g_strdup_printf("klab boot: the kernel failed: %s", r->title);

	if (r->excerpt)
		cmd_line(r->excerpt);
	cmd_line(line);
	return EXIT_AFFECTED;
}

static int tell_poweroff(const struct options *o)
{
	if (!o->command)
		return EXIT_CLEAN; /* a shell may be left so */
	cmd_line("klab boot: the guest reset or powered off before the command ended");
	return EXIT_OWN_FAILURE;
}

static int tell_not_executed(const struct options *o, int code)
{
	g_autofree char *line =
		g_strdup_printf("klab boot: cannot execute '%s': %s",
				o->command ? o->command[0] : "sh", g_strerror(code));

	cmd_line(line);
	return code == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

static int exit_code(const struct options *o, const struct boot_result *r)
{
	switch (r->end) {
	case BOOT_EXITED:
		return r->code;
	case BOOT_SIGNALLED:
		return 128 + r->code;
	case BOOT_NOT_EXECUTED:
		return tell_not_executed(o, r->code);
	case BOOT_KERNEL_FAILED:
		return tell_failure(r);
	case BOOT_POWEROFF:
		return tell_poweroff(o);
	case BOOT_LEFT:
		return EXIT_CLEAN;
	case BOOT_TIMEOUT:
		cmd_line("klab boot: the time limit is over");
		return EXIT_OVERALL_TIMEOUT;
	case BOOT_INTERRUPTED:
		return 128 + r->code;
	}
	return EXIT_OWN_FAILURE;
}

/* --- command -------------------------------------------------------------------------------------
 */

static bool run_guest(const struct options *o, const struct lab *lab, const struct kernel *k,
		      const struct boot_initrd *initrd, struct boot_result *ret, GError **error)
{
	static const char *const shell[] = { "sh", NULL };
	g_autoptr(GPtrArray) env = environment(k);
	struct boot_params params = {
		.backend = lab->host ? &guest_backend_libvirt : &guest_backend_qemu,
		.host = lab->host,
		.engine = lab->engine,
		.image = k->image,
		.initrd = initrd->path,
		.accel = lab->accel,
		.cpu_model = cpu_model(o, lab, k),
		.append = o->append,
		.smp = o->smp,
		.mem_mib = o->memory,
		.argv = o->command ? (const char *const *)o->command : shell,
		.env = (const char *const *)env->pdata,
		.tty = o->tty,
		.keep_going = !o->command,
		.in_fd = STDIN_FILENO,
		.boot_limit_s = o->boot_timeout,
		.limit_s = o->timeout,
		.interrupted = &interrupted,
		.output = output,
		.help = help,
		.window = o->tty ? window : NULL,
		.user = (void *)o,
	};
	bool ok;

	if (o->tty)
		cmd_line("Ctrl-A X leaves, Ctrl-A H helps");
	if (o->tty && !terminal_raw(error))
		return false;
	ok = boot_run(&params, ret, error);
	terminal_restore();
	return ok;
}

static int execute(struct options *o, const char *name, GError **error)
{
	struct lab_params params = { .qemu = o->qemu,
				     .accel = o->accel,
				     .kernels_file = o->config,
				     .connect = o->connect };
	g_auto(boot_initrd) initrd = BOOT_INITRD_INIT;
	g_auto(boot_result) result = { 0 };
	g_autoptr(kernel) kernel = NULL;
	g_autoptr(lab) lab = NULL;

	if (!lab_open(&params, &lab, error) || !make_initrd(o, &initrd, error) ||
	    !choose_kernel(lab, name, &kernel, error))
		return EXIT_OWN_FAILURE;
	if (!o->memory)
		o->memory = 512 + 16 * o->smp + 2 * (initrd.size >> 20);
	if (!fit_check(kernel->image, initrd.size, o->memory, error) ||
	    !lab_open_engine(lab, &params, &cmd_progress, error))
		return EXIT_OWN_FAILURE;
	if (!strcmp(lab->accel, "tcg") && !engine_is_sound(lab->engine))
		progress_say(&cmd_progress,
			     "warning: QEMU %s: versions before %d make clean kernels "
			     "oops under TCG",
			     lab->engine->version, ENGINE_MAJOR_MIN);
	if (!run_guest(o, lab, kernel, &initrd, &result, error))
		return EXIT_OWN_FAILURE;
	return exit_code(o, &result);
}

static bool check_options(struct options *o, int argc, char **argv, GError **error)
{
	if (argc < 2)
		return lab_fail(error, LAB_ERROR_USAGE,
				"which kernel?\n"
				"hint: klab kernels list shows what there is");
	if (argc > 2)
		return lab_fail(error, LAB_ERROR_USAGE,
				"unexpected operand '%s'\n"
				"hint: klab boot KERNEL -- CMD [ARG]...",
				argv[2]);
	if (o->smp < 0 || o->smp > 128 || o->memory < 0 || o->memory > 1 << 20)
		return lab_fail(error, LAB_ERROR_USAGE,
				"--smp wants 1..128, --memory at most %d MiB", 1 << 20);
	if (o->timeout < 0 || o->boot_timeout < 0)
		return lab_fail(error, LAB_ERROR_USAGE, "a time limit is negative");
	o->smp = o->smp ? o->smp : SMP_DEFAULT;
	o->boot_timeout = o->boot_timeout ? o->boot_timeout : 60 + 4 * o->smp;
	o->tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	return true;
}

/* Cut the command off at "--", before options of its own are taken for ours. */
static char **split_command(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		argv[i] = NULL;
		*argc = i;
		return argv[i + 1] ? argv + i + 1 : NULL;
	}
	return NULL;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static const char about[] =
	"Boot a kernel and give a shell in it (busybox), or run one command there. KERNEL is named "
	"as\n"
	"for 'klab run -k'. The guest has no disk and no network; its files are gone with it.\n"
	"On a terminal the command has one too. Else its stdin, stdout and stderr are carried "
	"apart\n"
	"and unchanged, and kernel messages are kept back (--verbose shows them on stderr).";
static const char epilog[] =
	"Exit code: that of the command, 128 + N if it died of signal N. 1 also if the kernel "
	"failed:\n"
	"its splat is on stderr, and an oops ends the guest (not so in a shell). 124 time limit,\n"
	"125 klab itself failed, 126 the command cannot be executed, 127 there is none of that "
	"name.\n"
	"With these it fits 'git bisect run', which skips at 125.\n\n"
	"In a shell Ctrl-A X leaves, and so do 'exit' and 'poweroff -f'.\n\n"
	"Examples:\n"
	"  klab boot debian-bookworm\n"
	"  klab boot debian-sid -- cat /proc/version\n"
	"  klab boot file:bzImage --file mytest -- ./mytest -v\n"
	"  tar c src | klab boot debian-sid -- tar t";

static int run_command(int argc, char **argv)
{
	struct options o = { .command = split_command(&argc, argv) };
	const GOptionEntry entries[] = {
		{ "smp", 0, 0, G_OPTION_ARG_INT, &o.smp, "vCPUs (default: 4)", "N" },
		{ "memory", 'm', 0, G_OPTION_ARG_INT, &o.memory,
		  "Memory in MiB (default: 512 + 16 a vCPU + twice the files)", "MIB" },
		{ "append", 0, 0, G_OPTION_ARG_STRING, &o.append,
		  "More of the kernel's command line", "ARGS" },
		{ "file", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o.files,
		  "Bring a file along, with its mode; GUEST is a path or a folder ending in / "
		  "(default: "
		  "/root/, where the command starts); repeatable",
		  "HOST[:GUEST]" },
		{ "busybox", 0, 0, G_OPTION_ARG_FILENAME, &o.busybox,
		  "A static busybox (default: the host's, Debian's busybox-static)", "PATH" },
		{ "timeout", 0, 0, G_OPTION_ARG_INT, &o.timeout,
		  "Overall time limit in seconds (default: none); exit code 124", "S" },
		{ "boot-timeout", 0, 0, G_OPTION_ARG_INT, &o.boot_timeout,
		  "Seconds until the guest must be up (default: 60 + 4 a vCPU)", "S" },
		{ "cpu", 0, 0, G_OPTION_ARG_STRING, &o.cpu,
		  "CPU model as QEMU names it (default: the newest, for 3.x " OLD_MODEL ")",
		  "MODEL" },
		{ "accel", 0, 0, G_OPTION_ARG_STRING, &o.accel, "auto, tcg, kvm (default: auto)",
		  "ACCEL" },
		{ "qemu", 0, 0, G_OPTION_ARG_FILENAME, &o.qemu, "QEMU binary to use", "PATH" },
		{ "connect", 0, 0, G_OPTION_ARG_STRING, &o.connect, LAB_CONNECT_HELP, "URI|NAME" },
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &o.config,
		  "Kernels file (default: ./kernels.yaml, else the one shipped inside)", "FILE" },
		{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &o.verbose,
		  "Show kernel messages on stderr", NULL },
		{ 0 },
	};
	g_autoptr(GError) error = NULL;
	int code;

	if (!cmd_parse(&argc, &argv, "KERNEL [-- CMD [ARG]...]", about, entries, epilog, &code)) {
		code = code == EXIT_USAGE ? EXIT_OWN_FAILURE : code;
	} else if (!check_options(&o, argc, argv, &error)) {
		code = EXIT_OWN_FAILURE;
	} else {
		catch_signals();
		code = execute(&o, argv[1], &error);
	}
	if (error)
		cmd_error("boot", error);
	g_strfreev(o.files);
	g_free(o.append);
	g_free(o.busybox);
	g_free(o.cpu);
	g_free(o.accel);
	g_free(o.qemu);
	g_free(o.config);
	g_free(o.connect);
	return code;
}

const struct command command_boot = {
	.name = "boot",
	.summary = "a shell or one command in a kernel",
	.run = run_command,
};
