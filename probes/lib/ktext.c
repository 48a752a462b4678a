// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions of the kernel: see ktext.h. */
#include "probes/lib/ktext.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PHDRS_MAX 64
#define PEEK_NAME "peek"
#define PEEK_WORDS 64 /* a call: old kernels give a line of the trace one page */

static struct {
	int kcore; /* negative: none */
	int pipe;
	struct kprobe_site peek;
} state = { .peek = { .name = PEEK_NAME } };

/* Wrappers of 4.17 and later, of 3.10 and later; helpers that the compiler may not have inlined. */
static const char *const prefixes[] = { "",     "__x64_sys_", "__do_sys_", "__se_sys_", "sys_",
					"SyS_", "SYSC_",      "ksys_",     "do_" };

/* Is symbol name, or a copy of it that the compiler specialised? */
static int same(const char *symbol, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(symbol, name, len) &&
	       (!symbol[len] || !strncmp(symbol + len, ".isra.", 6) ||
		!strncmp(symbol + len, ".constprop.", 11));
}

static int wanted(const char *symbol, const char *const *names)
{
	for (unsigned p = 0; p < sizeof(prefixes) / sizeof(*prefixes); p++) {
		size_t len = strlen(prefixes[p]);

		if (strncmp(symbol, prefixes[p], len))
			continue;
		for (unsigned i = 0; names[i]; i++)
			if (same(symbol + len, names[i]))
				return 1;
	}
	return 0;
}

/* Lines are sorted by address: a function ends where the next symbol begins. */
int ktext_find(const char *const *names, struct ktext_function *ret, unsigned max)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned n = 0, open = 0;
	char line[256], name[128], type;
	unsigned long long address;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (strchr(line, '[') || sscanf(line, "%llx %c %127s", &address, &type, name) != 3)
			continue;
		if (open && address > ret[n - 1].address) {
			ret[n - 1].size = address - ret[n - 1].address;
			open = 0;
			if (ret[n - 1].size > KTEXT_SIZE_MAX)
				n--;
		}
		if (open || n == max || (type | 32) != 't' || strlen(name) >= KTEXT_NAME_MAX ||
		    !address || !wanted(name, names))
			continue;
		text_format(ret[n].name, sizeof(ret[n].name), "%s", name);
		ret[n++].address = address;
		open = 1;
	}
	fclose(f);
	return n - open;
}

static int64_t kcore_offset(int fd, uint64_t address)
{
	Elf64_Ehdr e;
	Elf64_Phdr p[PHDRS_MAX];
	ssize_t size;

	if (pread(fd, &e, sizeof(e), 0) != sizeof(e) || e.e_phentsize != sizeof(*p))
		return -EINVAL;
	size = (e.e_phnum < PHDRS_MAX ? e.e_phnum : PHDRS_MAX) * sizeof(*p);
	if (pread(fd, p, size, e.e_phoff) != size)
		return -EINVAL;
	for (unsigned i = 0; i < size / sizeof(*p); i++)
		if (p[i].p_type == PT_LOAD && address >= p[i].p_vaddr &&
		    address - p[i].p_vaddr < p[i].p_filesz)
			return p[i].p_offset + (address - p[i].p_vaddr);
	return -ENOENT;
}

static int kcore_read(uint64_t address, void *buf, size_t size)
{
	int64_t at = kcore_offset(state.kcore, address);
	ssize_t n = at < 0 ? at : pread(state.kcore, buf, size, at);

	return n == -1 ? -errno : n;
}

/* --- by a kprobe -------------------------------------------------------------------------- */

/* What the caller passed first is in a register; since 4.17 in the caller's saved registers, to
 * which the register points. */
static int peek_define(const char *symbol)
{
	const char *where = strncmp(symbol, "__", 2) ? "%di" : "+112(%di)";
	char line[4000];

	text_format(line, sizeof(line), "p:klab/" PEEK_NAME " %s", symbol);
	for (unsigned i = 0; i < PEEK_WORDS; i++) {
		size_t len = strlen(line);

		text_format(line + len, sizeof(line) - len, " w%u=+%u(%s):u64%s", i, 8 * i, where,
			    i == PEEK_WORDS - 1 ? "\n" : "");
	}
	return tracefs_write("kprobe_events", line);
}

static void peek_close(void)
{
	state.peek.symbol = "";
	kprobe_site_remove(&state.peek);
	tracefs_write("tracing_on", "0\n");
	if (state.pipe > 0)
		close(state.pipe);
	state.pipe = 0;
}

/* The next line of the trace into buf; 0 or a negative errno. */
static int peek_line(char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(state.pipe, buf + len, size - 1 - len)) != 0) {
		if (n < 0)
			return -errno;
		len += n;
		buf[len] = '\0';
		if (buf[len - 1] == '\n')
			return 0;
	}
	return -EIO;
}

static int peek_words(uint64_t address, uint64_t *words)
{
	char line[8192], *p = line;
	int err;

	syscall(SYS_getppid, address);
	err = peek_line(line, sizeof(line));
	for (unsigned i = 0; !err && i < PEEK_WORDS; i++) {
		char key[16], *end;

		text_format(key, sizeof(key), " w%u=", i);
		p = strstr(p, key);
		if (!p)
			return -EIO;
		p += strlen(key);
		words[i] = strtoull(p, &end, 0);
		if (end == p)
			return -EIO;
	}
	return err;
}

static int peek_read(uint64_t address, uint8_t *buf, size_t size)
{
	uint64_t words[PEEK_WORDS];

	for (size_t done = 0; done < size; done += sizeof(words)) {
		int err = peek_words(address + done, words);

		if (err)
			return err;
		memcpy(buf + done, words,
		       size - done < sizeof(words) ? size - done : sizeof(words));
	}
	return size;
}

static int peek_open(void)
{
	static const char *const symbols[] = { "__x64_sys_getppid", "__do_sys_getppid",
					       "sys_getppid", "SyS_getppid" };
	char path[256];
	int err = -ENOENT;

	for (unsigned i = 0; err && i < sizeof(symbols) / sizeof(*symbols); i++)
		err = peek_define(symbols[i]);
	if (err)
		return err;
	text_format(path, sizeof(path), "%s/trace_pipe", tracefs_root());
	state.pipe = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	err = state.pipe < 0 ? -errno : kprobe_site_enable(&state.peek, true);
	if (!err)
		err = tracefs_write("tracing_on", "1\n");
	if (err)
		peek_close();
	return err;
}

int ktext_open(void)
{
	state.kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	return state.kcore < 0 ? peek_open() : 0;
}

int ktext_read(uint64_t address, void *buf, size_t size)
{
	int n;

	if (state.kcore < 0)
		return peek_read(address, buf, size);
	n = kcore_read(address, buf, size);
	if (n == (int)size)
		return n;
	/* It does not show the text, or not to us: the other way from now on. */
	close(state.kcore);
	state.kcore = -1;
	n = peek_open();
	return n ? n : peek_read(address, buf, size);
}

void ktext_close(void)
{
	if (state.kcore >= 0)
		close(state.kcore);
	else
		peek_close();
}
