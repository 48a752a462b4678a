// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What every guest backend must do, run against each record: backend_conformance qemu|libvirt|replay.
 * The guest is the pinned kernel (or another one, by hand) with our agent, or a recording of one.
 */
#include "cmd/cmd.h"
#include "cmd/lab.h"
#include "guest/guest.h"
#include "guest/initramfs.h"
#include "guest/libvirt_engine.h"
#include "base/embed.h"
#include "base/fs.h"
#include "parse/wire.h"
#include "run/dump.h"
#include "run/tasks.h"
#include "run/watch.h"

#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define HELLO_LIMIT_US (120 * G_USEC_PER_SEC)
#define NONCE_HEX "000102030405060708090a0b0c0d0e0f"

static unsigned failures;

static void check(bool ok, const char *what, const GError *error)
{
	printf("%s: %s%s%s\n", ok ? "ok" : "FAIL", what, error ? ": " : "",
	       error ? error->message : "");
	failures += !ok;
}

struct hello {
	uint64_t status_phys;
	bool seen;
};

static void on_record(const struct wire_record *record, void *user)
{
	struct hello *hello = user;
	json_t *json = strcmp(record->type, "hello") == 0 ? json_loads(record->payload, 0, NULL) :
							    NULL;
	const char *phys = json_string_value(json_object_get(json, "status_phys"));

	if (phys) {
		hello->seen = true;
		hello->status_phys = g_ascii_strtoull(phys, NULL, 16);
	}
	json_decref(json);
}

/* Bytes come with times that never go back, and hello among them. */
static void wait_hello(struct guest *g, struct hello *hello)
{
	g_autofree struct wire_parser *p = g_new(struct wire_parser, 1);
	int64_t start_us = guest_now_us(g), last_us = start_us;
	bool ordered = true, sane = true;

	wire_parser_init(p, on_record, hello);
	while (!hello->seen && guest_now_us(g) - start_us < HELLO_LIMIT_US) {
		g_autoptr(GError) error = NULL;
		struct guest_event ev;

		if (!guest_next(g, 100, &ev, &error) || ev.kind == GUEST_EXIT) {
			check(false, "the guest ended before its hello", error);
			return;
		}
		ordered = ordered && ev.at_us >= last_us;
		last_us = ev.at_us;
		sane = sane && (ev.kind == GUEST_TICK || (ev.data && ev.len));
		if (ev.kind == GUEST_WIRE)
			wire_parser_feed(p, ev.data, ev.len);
	}
	check(hello->seen, "a hello comes", NULL);
	check(ordered, "times of events never go back", NULL);
	check(sane, "events of bytes have bytes", NULL);
}

/* Let the guest's clock go on for a while. */
static void pass_time(struct guest *g, int64_t us)
{
	int64_t end_us = guest_now_us(g) + us;
	struct guest_event ev;

	while (guest_now_us(g) < end_us && guest_next(g, 50, &ev, NULL) && ev.kind != GUEST_EXIT)
		;
}

static void check_status(struct guest *g, uint64_t phys, const uint8_t *nonce)
{
	struct wire_status page = { 0 };
	g_autoptr(GError) error = NULL;
	bool ok = guest_read_phys(g, phys, &page, sizeof(page), &error);

	check(ok, "guest memory is read by physical address", error);
	check(page.magic == WIRE_STATUS_MAGIC && page.ncpus == g->smp, "the status page is there",
	      NULL);
	check(!nonce || wire_status_valid(&page, nonce), "the page has the nonce we gave", NULL);
}

/* A guest that cannot tell its page's address is searched for the nonce. */
static void check_search(struct guest *g, uint64_t phys, const uint8_t *nonce, unsigned mem_mib)
{
	g_autofree struct watch *w = g_new0(struct watch, 1);
	g_autoptr(GError) error = NULL;
	bool found;
	pid_t tid;

	watch_init(w, g, NULL, NULL, 0);
	memcpy(w->nonce, nonce, sizeof(w->nonce));
	found = watch_found(w, 0, mem_mib, &error);
	check(found && w->status_phys == phys, "the status page is found by its nonce", error);
	w->nonce[0] ^= 1;
	/* all of it takes half a minute over a network */
	if (!guest_threads(g, &tid, 1))
		mem_mib = 64;
	check(!watch_found(w, 0, mem_mib, NULL), "a page of another run is not taken for it", NULL);
}

static void check_inside(struct guest *g)
{
	struct guest_sched a = { 0 }, b = { 0 };
	g_autoptr(GError) error = NULL;
	pid_t tid[2];

	check(guest_read_sched(g, &a, &error), "scheduling of vCPUs is told", error);
	pass_time(g, 300000);
	check(guest_read_sched(g, &b, NULL) && b.delay_us >= a.delay_us, "delay never shrinks", NULL);
	/* one thread that takes turns would hide every race */
	check(guest_threads(g, tid, 2) != 2 || tid[0] != tid[1], "vCPUs have threads of their own",
	      NULL);
	check(guest_nmi(g, NULL), "an NMI is raised", NULL);
	check(guest_send(g, "\n", 1, NULL), "bytes are taken for the guest", NULL);
}

static void check_regs(struct guest *g)
{
	g_autofree struct guest_regs *regs = g_new0(struct guest_regs, g->smp);
	g_autoptr(GError) error = NULL;
	uint8_t code[8];

	check(guest_read_regs(g, regs, g->smp, &error) && regs[0].rip, "registers are read", error);
	check(!guest_read_virt(g, 0, 0x10, code, sizeof(code), NULL),
	      "an address that is not mapped is an error, not bytes", NULL);
}

static bool read_guest(void *user, uint64_t addr, void *buf, size_t len)
{
	return guest_read_virt(user, 0, addr, buf, len, NULL);
}

/* Does the stack of a task that sleeps lead from the scheduler to where tasks begin? */
static bool whole_stack(const struct facts *f, const struct unwind_env *env,
			const struct task_view *t)
{
	struct unwind_frame frames[48];
	unsigned n = unwind_stack(env, &t->regs, frames, G_N_ELEMENTS(frames));
	const struct symbol *in = symbols_find(f->all, frames[0].ip - 1);
	const struct symbol *out = symbols_find(f->all, frames[n - 1].ip - 1);

	for (unsigned i = 0; i < n; i++)
		if (frames[i].how == UNWIND_GUESSED)
			return false;
	return in && g_str_has_prefix(in->name, "__schedule") &&
	       (frames[n - 1].user || (out && g_str_has_prefix(out->name, "ret_from_fork")));
}

static void check_tasks(struct guest *g, const struct facts *f)
{
	const struct elf_part *text = elf_section(&f->elf, ".text");
	struct unwind_env env = { .orc = f->orc, .read = read_guest, .user = g };
	g_autoptr(GArray) tasks = NULL;
	unsigned sleeping = 0, whole = 0;
	const char *why = "", *first = NULL;

	check(text && f->orc && f->btf && f->all, "its image has symbols, ORC and BTF", NULL);
	if (!text)
		return;
	env.text_start = text->addr;
	env.text_end = text->addr + text->len;
	check(guest_pause(g, true, NULL), "the guest is stopped", NULL);
	tasks = tasks_read(f, &env, &why);
	for (guint i = 0; tasks && i < tasks->len; i++) {
		const struct task_view *t = &g_array_index(tasks, struct task_view, i);

		if (t->pid == 1)
			first = t->comm;
		sleeping += t->regs.ip != 0;
		whole += t->regs.ip && whole_stack(f, &env, t);
	}
	printf("%u tasks, %u sleep, %u stacks are whole; pid 1 is '%s'%s\n", tasks ? tasks->len : 0,
	       sleeping, whole, first ? first : "", why ? why : "");
	check(tasks && first && *first && sleeping > 10, "its tasks are listed", NULL);
	check(whole == sleeping, "the stacks of tasks that sleep are whole", NULL);
	check(guest_pause(g, false, NULL), "the guest goes on", NULL);
}

/* The core's headers and notes: all memory is in it, and what the kernel says of itself. */
static void check_core(const char *path, uint64_t mem_bytes)
{
	g_autofree uint8_t *head = g_malloc0(1 << 16), *notes = g_malloc0(1 << 16);
	FILE *file = fopen(path, "r");
	const Elf64_Ehdr *eh = (const void *)head;
	const Elf64_Phdr *ph = (const void *)(head + sizeof(*eh));
	uint64_t memory = 0;
	bool info = false;

	check(file && fread(head, 1, 1 << 16, file) > sizeof(*eh) &&
	      !memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_type == ET_CORE &&
	      eh->e_phoff < 4096, "the dump is an ELF core", NULL);
	ph = (const void *)(head + eh->e_phoff % 4096);
	for (unsigned i = 0; file && i < MIN(eh->e_phnum, 64); i++) {
		memory += ph[i].p_type == PT_LOAD ? ph[i].p_filesz : 0;
		if (ph[i].p_type == PT_NOTE && ph[i].p_filesz < 1 << 16 &&
		    !fseek(file, ph[i].p_offset, SEEK_SET))
			info = fread(notes, 1, ph[i].p_filesz, file) == ph[i].p_filesz &&
			       memmem(notes, ph[i].p_filesz, "VMCOREINFO\0\0OSRELEASE=", 22);
	}
	check(memory >= mem_bytes, "all memory is in it", NULL);
	check(info, "the kernel's VMCOREINFO is in it", NULL);
	if (file)
		fclose(file);
}

static void check_dump(struct guest *g, const struct guest_spec *spec)
{
	g_autofree char *dir = g_dir_make_tmp("klab-dump-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, DUMP_FILE, NULL);
	struct dump_result result = { 0 };
	g_autoptr(GError) error = NULL;
	g_autoptr(facts) f = NULL;

	check(facts_load(spec->kernel, &f, &error), "the kernel's image tells of the kernel", error);
	if (f)
		check_tasks(g, f);
	check(dump_write(g, f, dir, spec->mem_mib, &result, &error), "memory is dumped", error);
	check_core(path, (uint64_t)spec->mem_mib << 20);
	fs_remove(dir, NULL);
}

/* The same registers again: the guest must not notice. */
static void check_set_cpus(struct guest *g)
{
	g_autofree struct guest_regs *regs = g_new0(struct guest_regs, g->smp);
	g_autofree struct guest_cpu_set *sets = g_new0(struct guest_cpu_set, g->smp);
	g_autoptr(GError) error = NULL;
	bool ok = guest_pause(g, true, NULL) && guest_read_regs(g, regs, g->smp, NULL);

	for (unsigned i = 0; i < g->smp; i++)
		sets[i] = (struct guest_cpu_set){ .cpu = i, .rip = regs[i].rip,
						  .rflags = regs[i].rflags };
	ok = ok && guest_set_cpus(g, sets, g->smp, &error);
	if (g_error_matches(error, LAB_ERROR, LAB_ERROR_UNSUPPORTED)) {
		printf("cannot: %s\n", error->message);
		g_clear_error(&error);
		ok = guest_pause(g, false, NULL);
	}
	check(ok, "registers are set, or it is said why not", error);
}

/* An engine of another host is killed by whoever runs this test, if he says how. */
static bool kill_engine(struct guest *g)
{
	const char *command = g_getenv("KLAB_KILL_ENGINE");
	pid_t tid = 0;
	int status = -1;

	if (guest_threads(g, &tid, 1) == 1 && tid > 1)
		return kill(tid, SIGKILL) == 0;
	return command && g_spawn_command_line_sync(command, NULL, NULL, &status, NULL) && !status;
}

/* Told by one who can see it: a signal by its number, else that it ended at all. */
static void check_end(struct guest *g)
{
	struct guest_event ev = { 0 };
	int64_t end_us = guest_now_us(g) + 30 * G_USEC_PER_SEC;
	g_autoptr(GError) error = NULL;

	check(kill_engine(g), "the engine is killed", NULL);
	while (ev.kind != GUEST_EXIT && guest_now_us(g) < end_us)
		if (!guest_next(g, 100, &ev, &error))
			break;
	check(ev.kind == GUEST_EXIT && ev.how != GUEST_EXIT_POWEROFF, "its end is told", error);
	printf("it ended as %d, status %d: %s\n", ev.how, ev.status, ev.message ? ev.message : "");
}

static void check_backend(const struct guest_backend *be, const struct guest_spec *spec,
			  const uint8_t *nonce)
{
	g_autoptr(guest) g = NULL;
	g_autoptr(GError) error = NULL;
	struct hello hello = { 0 };

	check(guest_start(be, spec, &g, &error), "a guest starts", error);
	if (!g)
		return;
	wait_hello(g, &hello);
	if (!hello.seen)
		return;
	pass_time(g, 500000);
	check_status(g, hello.status_phys, nonce);
	if (nonce)	/* a recording has that one page, wherever one looks */
		check_search(g, hello.status_phys, nonce, spec->mem_mib);
	check_inside(g);
	check_regs(g);
	if (be->dump)
		check_dump(g, spec);
	if (be->set_cpus)
		check_set_cpus(g);
	if (nonce)
		check_end(g);
}

/* A kernel that panics and resets: all that it said comes, then its end. */
static void check_reset(const struct guest_backend *be, const struct guest_spec *spec)
{
	struct guest_spec dies = *spec;
	g_autoptr(guest) g = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) console = g_byte_array_new();
	struct guest_event ev = { 0 };
	int64_t end_us;

	dies.append = "console=ttyS0 nokaslr no_timer_check reboot=t panic=-1 rdinit=/nonexistent";
	check(guest_start(be, &dies, &g, &error), "a guest that will die starts", error);
	if (!g)
		return;
	end_us = guest_now_us(g) + HELLO_LIMIT_US;
	while (ev.kind != GUEST_EXIT && guest_now_us(g) < end_us) {
		if (!guest_next(g, 100, &ev, &error))
			break;
		if (ev.kind == GUEST_CONSOLE)
			g_byte_array_append(console, ev.data, ev.len);
	}
	check(ev.kind == GUEST_EXIT && ev.how == GUEST_EXIT_POWEROFF, "its reset ends it", error);
	check(memmem(console->data, console->len, "Kernel panic - not syncing", 26) &&
	      memmem(console->data, console->len, "Kernel Offset: ", 15),
	      "its last words come before that", NULL);
}

static void check_bad_start(const struct guest_backend *be, const struct guest_spec *spec)
{
	struct guest_spec bad = *spec;
	struct guest *g = NULL;
	g_autoptr(GError) error = NULL;

	bad.cpu_model = "no-such-cpu";
	bad.journal = "/nonexistent";
	check(!guest_start(be, &bad, &g, &error) && !g && error && *error->message,
	      "a start that fails says why and leaves nothing", NULL);
	printf("it says: %s\n", error ? error->message : "");
}

static bool prepare_engine(struct guest_spec *spec, GError **error)
{
	const struct lab_params params = { .accel = "tcg" };
	struct lab *lab;
	struct kernel *kernel;
	char *initrd, *sha256;

	/* kept for the life of this program */
	if (!lab_open(&params, &lab, error) ||
	    !lab_open_engine(lab, &params, &cmd_progress, error) ||
	    !lab_proof_kernel(lab, &cmd_progress, &kernel, error) ||
	    !initramfs_get(embed_init, EMBED_LEN(init), &initrd, &sha256, error))
		return false;
	spec->engine = lab->engine;
	spec->kernel = kernel->image;
	spec->initrd = initrd;
	if (spec->connect)	/* a host that is none of ours is told of the engine by its path */
		spec->emulator = libvirt_engine(lab->engine, error);
	return !spec->connect || spec->emulator;
}

static int usage(void)
{
	fprintf(stderr, "usage: backend_conformance qemu [BZIMAGE]|libvirt [URI [BZIMAGE]]|replay\n");
	return 2;
}

static const struct guest_backend *backend_of(const char *name)
{
	const struct guest_backend *const all[] = { &guest_backend_qemu, &guest_backend_libvirt,
						    &guest_backend_replay };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		if (strcmp(name, all[i]->name) == 0)
			return all[i];
	return NULL;
}

int main(int argc, char **argv)
{
	static const uint8_t nonce[WIRE_NONCE_LEN] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
						       14, 15 };
	struct guest_spec spec = {
		.smp = 2, .mem_mib = 512, .accel = "tcg", .cpu_model = "max",
		.append = "console=ttyS0 loglevel=5 nokaslr no_timer_check panic=-1 klab.nonce=" NONCE_HEX,
	};
	const struct guest_backend *be = argc > 1 ? backend_of(argv[1]) : NULL;
	bool recorded = be == &guest_backend_replay, libvirt = be == &guest_backend_libvirt;
	int at = libvirt ? 3 : 2;	/* of the kernel */
	g_autoptr(GError) error = NULL;

	if (!be || argc > at + !recorded)
		return usage();
	if (libvirt) {
		spec.connect = argc > 2 ? argv[2] : "qemu:///embed";
		spec.pool = "klab-conformance";
	}
	if (!recorded && !prepare_engine(&spec, &error)) {
		check(false, "an engine and a kernel", error);
		return 1;
	}
	if (argc > at)
		spec.kernel = argv[at];
	if (recorded) {
		spec.journal = SOURCE_DIR "/harness/tests/replay/recorded/nmi-deadlock";
		spec.smp = 4;
	}
	check_bad_start(be, &spec);
	check_backend(be, &spec, recorded ? NULL : nonce);
	if (!recorded)
		check_reset(be, &spec);
	check(waitpid(-1, NULL, WNOHANG) < 0, "no child is left", NULL);
	return failures ? 1 : 0;
}
