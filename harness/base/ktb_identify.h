/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which kernel is this? From the texts of uname(2) and os-release to vendor, build string and
 * upstream base. Only the texts that are handed in count: nothing is read from the host, unless
 * KTB_WITH_STDIO is defined and ktb_identify_host() is called.
 *
 * Freestanding C99 and C++11, no allocation. The harness uses this file, and the generated
 * tracing_blacklist.h carries it verbatim behind vercmp.h.
 */
#ifndef KTB_IDENTIFY_H
#define KTB_IDENTIFY_H
#ifndef __ASSEMBLER__

#ifndef KLAB_VERCMP_H
#include "base/vercmp.h"
#endif

enum ktb_order { KTB_ORDER_DPKG, KTB_ORDER_RPM };

/* What the upstream version in a vendor's build string tells about its code. */
enum ktb_trust {
	KTB_BASE_EXACT,  /* that stable release and little else */
	KTB_BASE_BRANCH, /* that branch; which stable release went in is not told */
	KTB_BASE_FROZEN  /* years of backports from everywhere: what came later may be in */
};

struct ktb_vendor {
	const char *name;
	enum ktb_order order;
	enum ktb_trust trust;
};

static const struct ktb_vendor ktb_vendors[] = {
	{ "mainline", KTB_ORDER_DPKG, KTB_BASE_EXACT },
	{ "debian", KTB_ORDER_DPKG, KTB_BASE_EXACT },
	{ "ubuntu", KTB_ORDER_DPKG, KTB_BASE_BRANCH },
	/* Ubuntu's cloud and device kernels count their builds on their own. */
	{ "ubuntu-derived", KTB_ORDER_DPKG, KTB_BASE_BRANCH },
	{ "rhel7", KTB_ORDER_RPM, KTB_BASE_FROZEN },
	{ "rhel8", KTB_ORDER_RPM, KTB_BASE_FROZEN },
	{ "rhel9", KTB_ORDER_RPM, KTB_BASE_FROZEN },
	{ "rhel10", KTB_ORDER_RPM, KTB_BASE_FROZEN },
	{ "rhel-derived", KTB_ORDER_RPM, KTB_BASE_FROZEN },
	/* openSUSE Leap to 15.2 counts its builds on its own; from 15.3 on it ships those of SLE.
	 */
	{ "suse", KTB_ORDER_RPM, KTB_BASE_FROZEN },
	{ "sle", KTB_ORDER_RPM, KTB_BASE_FROZEN },
	{ "amazon", KTB_ORDER_RPM, KTB_BASE_EXACT },
	{ "fedora", KTB_ORDER_RPM, KTB_BASE_EXACT },
	/* Anything else: a local version, or a vendor that is not known here. */
	{ "other", KTB_ORDER_DPKG, KTB_BASE_EXACT },
};
#define KTB_N_VENDORS (sizeof(ktb_vendors) / sizeof(ktb_vendors[0]))

struct ktb_kernel {
	char release[96];  /* uname -r */
	char version[192]; /* uname -v, from its '#' on */
	char vendor[24];   /* a name of ktb_vendors, or "": nothing could be made of the release */
	char build[96];    /* full build string in the vendor's order, or "": not told */
	char base[48];     /* upstream X.Y.Z, an -rc as X.Y.Z~rcN */
	int base_exact;    /* is Z of `base` the real sublevel? */
	enum ktb_order order;
	enum ktb_trust trust;
	const char *force; /* set by ktb_force() */
	int strict;        /* set by ktb_strict() */
};

static inline size_t ktb_len(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

static inline int ktb_starts(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return 0;
	return 1;
}

static inline int ktb_eq(const char *a, const char *b)
{
	size_t i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	return a[i] == b[i];
}

/* Does `text` of n bytes end so? */
static inline int ktb_ends_at(const char *text, size_t n, const char *suffix)
{
	size_t m = ktb_len(suffix);

	return n >= m && ktb_eq(text + n - m, suffix);
}

static inline int ktb_ends(const char *text, const char *suffix)
{
	return ktb_ends_at(text, ktb_len(text), suffix);
}

static inline const char *ktb_find(const char *text, const char *needle)
{
	for (; *text; text++)
		if (*text == *needle && ktb_starts(text, needle))
			return text;
	return NULL;
}

/* The first '.' that one of n words stands behind, or NULL: one pass instead of n. */
static inline const char *ktb_find_dotted(const char *text, const char *const *words, size_t n)
{
	size_t i;

	for (; *text; text++)
		for (i = 0; *text == '.' && i < n; i++)
			if (ktb_starts(text + 1, words[i]))
				return text;
	return NULL;
}

/* Copy at most n bytes of `text`, cut to what fits, always terminated. Returns how many. */
static inline size_t ktb_copy(char *dst, size_t size, const char *text, size_t n)
{
	size_t i;

	if (n >= size)
		n = size - 1;
	for (i = 0; i < n && text[i]; i++)
		dst[i] = text[i];
	dst[i] = 0;
	return i;
}

static inline void ktb_append(char *dst, size_t size, const char *text)
{
	size_t at = ktb_len(dst);

	ktb_copy(dst + at, size - at, text, size);
}

static inline const char *ktb_skip_digits(const char *text)
{
	return vercmp_skip_digits(text);
}

static inline void ktb_set_vendor(struct ktb_kernel *k, const char *name)
{
	size_t i;

	for (i = 0; i < KTB_N_VENDORS; i++) {
		if (!ktb_eq(ktb_vendors[i].name, name))
			continue;
		ktb_copy(k->vendor, sizeof(k->vendor), name, sizeof(k->vendor));
		k->order = ktb_vendors[i].order;
		k->trust = ktb_vendors[i].trust;
		return;
	}
}

/*
 * "6.1.27-rest" -> base "6.1.27"; "6.2-rc3" and "6.2~rc3" -> "6.2.0~rc3". Returns the rest, or NULL
 * if no X.Y stands there.
 */
static inline const char *ktb_parse_base(char *dst, size_t size, const char *text)
{
	const char *minor = ktb_skip_digits(text);
	const char *end, *rc;

	if (minor == text || *minor != '.' || ktb_skip_digits(minor + 1) == minor + 1)
		return NULL;
	end = ktb_skip_digits(minor + 1);
	if (*end == '.' && vercmp_is_digit((unsigned char)end[1])) {
		end = ktb_skip_digits(end + 1);
		ktb_copy(dst, size, text, (size_t)(end - text));
	} else {
		ktb_copy(dst, size, text, (size_t)(end - text));
		ktb_append(dst, size, ".0");
	}
	if (!ktb_starts(end, "-rc") && !ktb_starts(end, "~rc"))
		return end;
	rc = end + 3;
	if (ktb_skip_digits(rc) == rc)
		return end;
	end = ktb_skip_digits(rc);
	ktb_append(dst, size, "~rc");
	ktb_copy(dst + ktb_len(dst), size - ktb_len(dst), rc, (size_t)(end - rc));
	return end;
}

/* The base is a release candidate, whose number stands at `number`. */
static inline void ktb_base_is_rc(struct ktb_kernel *k, const char *number)
{
	size_t at;

	ktb_append(k->base, sizeof(k->base), "~rc");
	at = ktb_len(k->base);
	ktb_copy(k->base + at, sizeof(k->base) - at, number,
		 (size_t)(ktb_skip_digits(number) - number));
}

/* ID= of os-release, without quotes; "" if there is none. */
static inline void ktb_os_id(const char *os_release, char *dst, size_t size)
{
	const char *line = os_release;

	dst[0] = 0;
	while (line && *line) {
		if (ktb_starts(line, "ID=")) {
			size_t n = 0;

			line += 3;
			if (*line == '"' || *line == '\'')
				line++;
			while (line[n] && line[n] != '\n' && line[n] != '"' && line[n] != '\'')
				n++;
			ktb_copy(dst, size, line, n);
			return;
		}
		while (*line && *line != '\n')
			line++;
		if (*line)
			line++;
	}
}

/* uname -v "#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)": the package version is here only.
 */
static inline int ktb_identify_debian(struct ktb_kernel *k)
{
	const char *at = ktb_find(k->version, "Debian ");
	size_t n = 0, i;

	if (!at || !vercmp_is_digit((unsigned char)at[7]))
		return 0;
	at += 7;
	while (at[n] && at[n] != ' ' && at[n] != ')')
		n++;
	for (i = 0; i < n; i++) {
		if (at[i] == ':') {
			/* An epoch: a derivative that counts on its own (Raspberry Pi OS). */
			ktb_set_vendor(k, "other");
			ktb_parse_base(k->base, sizeof(k->base), at + i + 1);
			k->base_exact = 1;
			ktb_copy(k->build, sizeof(k->build), at, n);
			return 1;
		}
	}
	ktb_set_vendor(k, "debian");
	ktb_copy(k->build, sizeof(k->build), at, n);
	ktb_parse_base(k->base, sizeof(k->base), k->build);
	k->base_exact = 1;
	/* "6.1.37-1~bpo11+1" is 6.1.37-1 built for another suite. */
	for (i = ktb_len(k->build); i > 0 && k->build[i - 1] != '-'; i--)
		if (k->build[i - 1] == '~')
			k->build[i - 1] = 0;
	return 1;
}

/* "-9-amd64", "-0.deb11.7-cloud-amd64", "+deb13-amd64": Debian's, though uname -v was not given. */
static inline int ktb_identify_debian_release(struct ktb_kernel *k, const char *rest)
{
	static const char *const flavours[] = { "-amd64",       "-arm64", "-686-pae", "-armmp",
						"-powerpc64le", "-s390x", "-riscv64" };
	int plus = ktb_starts(rest, "+deb");
	size_t n = ktb_len(rest), i;

	if (!plus && !(rest[0] == '-' && vercmp_is_digit((unsigned char)rest[1])))
		return 0;
	for (i = 0; i < sizeof(flavours) / sizeof(flavours[0]); i++) {
		if (!ktb_ends_at(rest, n, flavours[i]))
			continue;
		ktb_set_vendor(k, "debian");
		/* "6.1.0-9" is an ABI name; "6.12.9+deb13" names the real release. */
		k->base_exact = plus;
		return 1;
	}
	return 0;
}

/* "6.2.16-19-pve": Proxmox builds Ubuntu's trees, where fixes go on behind upstream's last release.
 */
static inline int ktb_identify_proxmox(struct ktb_kernel *k, const char *rest)
{
	if (!ktb_ends(rest, "-pve"))
		return 0;
	ktb_set_vendor(k, "ubuntu-derived");
	ktb_copy(k->build, sizeof(k->build), k->release, ktb_len(k->release) - 4);
	return 1;
}

/* "-36-generic" with "#37-Ubuntu" or "#37~22.04.1-Ubuntu": build 6.2.0-36.37. */
static inline int ktb_identify_ubuntu(struct ktb_kernel *k, const char *rest, int is_ubuntu)
{
	const char *abi_end = *rest == '-' ? ktb_skip_digits(rest + 1) : rest;
	size_t abi_len = abi_end > rest ? (size_t)(abi_end - rest - 1) : 0;
	int told = ktb_find(k->version, "-Ubuntu") != NULL;

	if (!abi_len)
		return 0;
	/* "#1151-Microsoft" is not Ubuntu's kernel, whatever runs on it. */
	if (k->version[0])
		is_ubuntu = 0;
	if (!told && !is_ubuntu && !ktb_ends(abi_end, "-generic") &&
	    !ktb_ends(abi_end, "-lowlatency"))
		return 0;
	if (abi_len == 6 && rest[1] == '0') {
		/* A mainline build for Ubuntu: 6.2.10-061020-generic, 6.2.0-060200rc1-generic. */
		ktb_set_vendor(k, "other");
		k->base_exact = 1;
		if (ktb_starts(abi_end, "rc"))
			ktb_base_is_rc(k, abi_end + 2);
		return 1;
	}
	ktb_set_vendor(k, abi_len > 3 ? "ubuntu-derived" : "ubuntu");
	ktb_copy(k->build, sizeof(k->build), k->release, (size_t)(abi_end - k->release));
	if (told && k->version[0] == '#') {
		const char *end = ktb_skip_digits(k->version + 1);

		ktb_append(k->build, sizeof(k->build), ".");
		ktb_copy(k->build + ktb_len(k->build), sizeof(k->build) - ktb_len(k->build),
			 k->version + 1, (size_t)(end - k->version - 1));
	}
	return 1;
}

/* The release up to ".x86_64" and its like. */
static inline void ktb_build_without_arch(struct ktb_kernel *k)
{
	static const char *const archs[] = { "x86_64", "aarch64", "ppc64le", "s390x", "i686" };
	const char *at = ktb_find_dotted(k->release, archs, sizeof(archs) / sizeof(archs[0]));

	ktb_copy(k->build, sizeof(k->build), k->release,
		 at ? (size_t)(at - k->release) : sizeof(k->release));
}

/* ".el8_6" ends a build of RHEL or of a rebuild with the same source; ".el8uek", ".lve.el7" do not.
 */
static inline int ktb_identify_rhel(struct ktb_kernel *k)
{
	static const char *const names[] = { "rhel7", "rhel8", "rhel9", "rhel10" };
	static const char *const virtuozzo[] = { "vz7.", "vz8.", "vz9." };
	const char *at = ktb_find(k->build, ".el"), *end;
	size_t i;

	if (ktb_find_dotted(k->build, virtuozzo, sizeof(virtuozzo) / sizeof(virtuozzo[0]))) {
		ktb_set_vendor(k, "rhel-derived");
		return 1;
	}
	if (!at || !vercmp_is_digit((unsigned char)at[3]))
		return 0;
	end = ktb_skip_digits(at + 3);
	ktb_set_vendor(k, "rhel-derived");
	if (ktb_find(k->build, "elrepo")) {
		ktb_set_vendor(k, "other");
		k->base_exact = 1;
		return 1;
	}
	if (ktb_find(k->build, ".lve"))
		return 1;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = ktb_len(names[i]) - 4;

		if ((size_t)(end - at - 3) != n || !ktb_starts(at + 3, names[i] + 4))
			continue;
		while (*end == '_' || vercmp_is_digit((unsigned char)*end))
			end++;
		if (!*end || *end == '+')
			ktb_set_vendor(k, names[i]);
	}
	return 1;
}

/* "-59.34-default", "-150400.24.63-default". Tumbleweed, which follows upstream, counts to one
 * digit:
 * "-1-default", "-1.g7e16618-default". */
static inline int ktb_is_sle(const char *rest)
{
	const char *end;

	if (*rest != '-' || !vercmp_is_digit((unsigned char)rest[1]))
		return 0;
	if (ktb_starts(rest, "-150"))
		return 1;
	end = ktb_skip_digits(rest + 1);
	return (ktb_ends(rest, "-default") || ktb_ends(rest, "-preempt")) &&
	       (end - rest > 2 || (*end == '.' && end[1] != 'g'));
}

static inline int ktb_identify_suse(struct ktb_kernel *k, const char *rest, const char *os_id)
{
	int leap = ktb_starts(rest, "-lp15");
	size_t n;

	if (!*rest || !(leap || ktb_is_sle(rest) || ktb_starts(os_id, "sle") ||
			ktb_eq(os_id, "opensuse-leap")))
		return 0;
	ktb_set_vendor(k, leap ? "suse" : "sle");
	/* Off goes the flavour: "-default", "-azure". */
	ktb_copy(k->build, sizeof(k->build), k->release, sizeof(k->release));
	n = ktb_len(k->build);
	while (n > 0 && k->build[n - 1] != '-')
		n--;
	if (n > 0 && vercmp_is_alpha((unsigned char)k->build[n]))
		k->build[n - 1] = 0;
	return 1;
}

/* Those whose builds say so: RHEL and its like, Amazon, Fedora. */
static inline int ktb_identify_dotted(struct ktb_kernel *k, const char *rest)
{
	static const char *const marks[] = { "el", "vz7.", "vz8.", "vz9.", "amzn", "fc" };

	if (!ktb_find_dotted(k->build, marks, sizeof(marks) / sizeof(marks[0])))
		return 0;
	if (ktb_identify_rhel(k))
		return 1;
	if (ktb_find(k->build, ".amzn")) {
		ktb_set_vendor(k, "amazon");
		k->base_exact = 1;
		return 1;
	}
	if (ktb_find(k->build, ".fc")) {
		ktb_set_vendor(k, "fedora");
		k->base_exact = 1;
		/* 6.4.0-0.rc2.23.fc39 comes before 6.4.0. */
		if (ktb_starts(rest, "-0.rc"))
			ktb_base_is_rc(k, rest + 5);
		return 1;
	}
	return 0;
}

static inline int ktb_identify_rpm(struct ktb_kernel *k, const char *rest, const char *os_id)
{
	ktb_build_without_arch(k);
	if (ktb_identify_dotted(k, rest))
		return 1;
	k->build[0] = 0;
	return ktb_identify_suse(k, rest, os_id);
}

/* Is `copy` less than all of `text`? */
static inline int ktb_is_cut(const char *copy, const char *text)
{
	return text[ktb_len(copy)] != 0;
}

/* No vendor that is known: plain upstream, or upstream with a local version. */
static inline void ktb_identify_other(struct ktb_kernel *k, const char *rest)
{
	const char *end = k->base + ktb_len(k->base);

	if (!*rest) {
		ktb_set_vendor(k, "mainline");
		k->base_exact = 1;
		return;
	}
	ktb_set_vendor(k, "other");
	/* "5.10.0-60.18.0.50" is a vendor's way of not telling the sublevel; "5.10.0-g1a2b3c" and
	 * "5.10.0+" are trees at 5.10.0. */
	k->base_exact = !(end - k->base > 2 && ktb_eq(end - 2, ".0")) || ktb_eq(rest, "+") ||
			ktb_eq(rest, "-dirty") || ktb_starts(rest, "-g");
}

/*
 * Fill in *k. `version` (uname -v) and `os_release` (the file's text) may be NULL: then less is
 * known, and more answers are "unknown". uname outranks os-release, which in a container speaks of
 * the container. Returns 0 if no version could be found in `release`, or if it is longer than any
 * kernel's (k->vendor is "" then).
 */
static inline int ktb_identify(struct ktb_kernel *k, const char *release, const char *version,
			       const char *os_release)
{
	const char *rest;
	char os_id[32];

	ktb_copy(k->release, sizeof(k->release), release, sizeof(k->release));
	if (version)
		while (*version && *version != '#')
			version++;
	ktb_copy(k->version, sizeof(k->version), version ? version : "", sizeof(k->version));
	k->vendor[0] = k->build[0] = k->base[0] = 0;
	k->base_exact = k->strict = 0;
	k->order = KTB_ORDER_DPKG;
	k->trust = KTB_BASE_EXACT;
	k->force = NULL;
	if (ktb_is_cut(k->release, release))
		return 0;
	rest = ktb_parse_base(k->base, sizeof(k->base), k->release);
	if (!rest)
		return 0;
	if (ktb_identify_proxmox(k, rest) || ktb_identify_debian(k) ||
	    ktb_identify_debian_release(k, rest))
		return 1;
	ktb_os_id(os_release, os_id, sizeof(os_id));
	if (ktb_identify_ubuntu(k, rest, ktb_eq(os_id, "ubuntu")) ||
	    ktb_identify_rpm(k, rest, os_id))
		return 1;
	ktb_identify_other(k, rest);
	return 1;
}

/* Let operations pass whatever is known of them: NULL none, "all", or their names, comma-separated.
 * The string must outlive *k. Answers report that they were forced. */
static inline void ktb_force(struct ktb_kernel *k, const char *ops)
{
	k->force = ops;
}

/* Treat unknown as affected. */
static inline void ktb_strict(struct ktb_kernel *k, int strict)
{
	k->strict = strict;
}

#ifdef KTB_WITH_STDIO
#include <stdio.h>
#include <sys/utsname.h>

/* The running kernel: uname(2) and /etc/os-release. */
static inline int ktb_identify_host(struct ktb_kernel *k)
{
	struct utsname uts;
	char text[4096];
	size_t n = 0;
	FILE *f;

	if (uname(&uts) < 0)
		return 0;
	f = fopen("/etc/os-release", "r");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = 0;
	return ktb_identify(k, uts.release, uts.version, text);
}
#endif

#endif
#endif
