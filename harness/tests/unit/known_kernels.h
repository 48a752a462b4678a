/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels with known answers, for the shipped hazards.yaml: asked of the harness (test_know) and of
 * the compiled header (test_header), which must agree.
 */
#ifndef KNOWN_KERNELS_H
#define KNOWN_KERNELS_H

#include "base/ktb_check.h"

struct known_kernel {
	const char *release, *version, *os_release;
	/* Expected answers for nmi-user-read and text-poke. */
	enum ktb_value nmi;
	enum ktb_evidence nmi_evidence;
	enum ktb_value poke;
	enum ktb_evidence poke_evidence;
};

#define AFF KTB_AFFECTED
#define CLN KTB_CLEAN
#define UNK KTB_UNKNOWN
#define DECL KTB_DECLARED
#define EXTR KTB_EXTRAPOLATED
#define NONE KTB_NO_EVIDENCE
#define DEB(package) "#1 SMP PREEMPT_DYNAMIC Debian " package " (2023-05-08)"

static const struct known_kernel known_kernels[] = {
	/* mainline and stable: nmi-user-read is 5.19.*, 6.0.*, 6.1.0-35, 6.2.*, 6.3.0-9 */
	{ "5.18.19", "#1 SMP", NULL, CLN, DECL, AFF, DECL },
	{ "5.19.0", "#1 SMP", NULL, AFF, DECL, AFF, DECL },
	{ "5.19.13", NULL, NULL, AFF, DECL, AFF, DECL },
	{ "5.19.14", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "5.19.17", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.0.0", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.0.19", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.1.0", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.1.10", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.1.35", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.1.36", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "6.1.192", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "6.1.256", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "6.1.4294967297", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "6.2.1", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.2.16", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.2.266", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.3.9", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.3.10", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "6.4.0", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "7.2.13", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "7.3.0", NULL, NULL, CLN, EXTR, CLN, EXTR },
	/* text-poke: B in 5.3-5.5, C in 5.6 .. */
	{ "4.4.255", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "4.4.256", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "4.15.0", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "5.2.1", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "5.3.0", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.4.0", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.4.273", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.5.19", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.6.0", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.9.16", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.10.146", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.10.147", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "5.10.1470", NULL, NULL, CLN, DECL, CLN, DECL },
	{ "5.14.21", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.15.0", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.15.71", NULL, NULL, CLN, DECL, AFF, DECL },
	{ "5.15.72", NULL, NULL, CLN, DECL, CLN, DECL },
	/* release candidates: as their neighbours, where those agree */
	{ "5.19.0-rc3", NULL, NULL, UNK, NONE, AFF, DECL },
	{ "6.1.0-rc2", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.2-rc8", NULL, NULL, AFF, DECL, CLN, DECL },
	{ "6.4.0-rc1", NULL, NULL, UNK, NONE, CLN, DECL },
	{ "6.0.0-rc5", NULL, NULL, AFF, DECL, UNK, NONE },
	{ "5.6.0-rc1", NULL, NULL, CLN, DECL, UNK, NONE },
	{ "7.0.0-rc1", NULL, NULL, CLN, DECL, CLN, DECL },
	/* Debian: the package's version is in uname -v */
	{ "5.18.0-4-amd64", DEB("5.18.16-1"), NULL, CLN, EXTR, AFF, EXTR },
	{ "5.19.0-1-amd64", DEB("5.19.6-1"), NULL, AFF, DECL, AFF, EXTR },
	{ "6.0.0-6-amd64", DEB("6.0.12-1"), NULL, AFF, DECL, CLN, EXTR },
	{ "6.1.0-9-amd64", DEB("6.1.27-1"), NULL, AFF, DECL, CLN, EXTR },
	{ "6.1.0-0.deb11.7-amd64", DEB("6.1.20-2~bpo11+1"), NULL, AFF, DECL, CLN, EXTR },
	{ "6.1.0-10-amd64", DEB("6.1.37-1"), NULL, CLN, DECL, CLN, EXTR },
	{ "6.1.0-0.deb11.9-amd64", DEB("6.1.37-1~bpo11+1"), NULL, CLN, DECL, CLN, EXTR },
	{ "6.1.0-56-cloud-amd64", DEB("6.1.192-2"), NULL, CLN, DECL, CLN, EXTR },
	{ "6.3.0-1-amd64", DEB("6.3.7-1"), NULL, AFF, DECL, CLN, EXTR },
	{ "6.3.0-2-amd64", DEB("6.3.11-1"), NULL, CLN, DECL, CLN, EXTR },
	{ "6.3.0-0-amd64", DEB("6.3.1-1~exp1"), NULL, AFF, EXTR, CLN, EXTR },
	{ "5.3.0-2-amd64", DEB("5.3.9-1"), NULL, CLN, EXTR, AFF, DECL },
	{ "5.5.0-2-amd64", DEB("5.5.17-1"), NULL, CLN, EXTR, AFF, DECL },
	{ "5.6.0-1-amd64", DEB("5.6.7-1"), NULL, CLN, EXTR, AFF, DECL },
	{ "5.10.0-18-amd64", DEB("5.10.140-1"), NULL, CLN, EXTR, AFF, DECL },
	{ "5.10.0-19-amd64", DEB("5.10.148-1"), NULL, CLN, EXTR, CLN, EXTR },
	{ "5.10.0-46-cloud-amd64", DEB("5.10.262-1"), NULL, CLN, EXTR, CLN, EXTR },
	{ "6.12.117+deb12-cloud-amd64", DEB("6.12.117-1~bpo12+1"), NULL, CLN, EXTR, CLN, EXTR },
	{ "7.2.13+deb14-cloud-amd64", NULL, NULL, CLN, EXTR, CLN, EXTR },
	{ "6.1.0-9-amd64", NULL, NULL, UNK, NONE, CLN, EXTR },
	{ "6.0.0-3-amd64", NULL, "ID=debian\n", AFF, DECL, CLN, EXTR },
	/* Raspberry Pi OS counts with an epoch of its own */
	{ "6.1.0-rpi4-rpi-v8", DEB("1:6.1.21-1+rpt1"), "ID=debian\n", AFF, EXTR, CLN, EXTR },
	{ "6.1.0-rpi7-rpi-v8", DEB("1:6.1.63-1+rpt1"), "ID=debian\n", CLN, EXTR, CLN, EXTR },
	/* Ubuntu: the upload's number is in uname -v */
	{ "6.2.0-35-generic", "#35-Ubuntu SMP PREEMPT_DYNAMIC", NULL, AFF, DECL, CLN, EXTR },
	{ "6.2.0-36-generic", "#36-Ubuntu SMP PREEMPT_DYNAMIC", NULL, AFF, DECL, CLN, EXTR },
	{ "6.2.0-36-generic", "#37-Ubuntu SMP PREEMPT_DYNAMIC", NULL, CLN, DECL, CLN, EXTR },
	{ "6.2.0-36-generic", "#37~22.04.1-Ubuntu SMP", NULL, CLN, DECL, CLN, EXTR },
	{ "6.2.0-36-generic", NULL, "ID=ubuntu\n", UNK, NONE, CLN, EXTR },
	{ "6.2.0-39-generic", "#40-Ubuntu SMP PREEMPT_DYNAMIC", NULL, CLN, DECL, CLN, EXTR },
	{ "6.2.0-1015-aws", "#15-Ubuntu SMP", NULL, UNK, NONE, CLN, EXTR },
	{ "5.19.0-50-generic", "#50-Ubuntu SMP", NULL, AFF, DECL, UNK, NONE },
	{ "5.19.0-1029-aws", "#30-Ubuntu SMP", NULL, AFF, DECL, UNK, NONE },
	{ "5.15.0-91-generic", "#101-Ubuntu SMP", NULL, CLN, EXTR, UNK, NONE },
	{ "5.4.0-26-generic", "#30-Ubuntu SMP", NULL, CLN, EXTR, AFF, DECL },
	{ "5.4.0-216-generic", "#236-Ubuntu SMP", NULL, CLN, EXTR, AFF, DECL },
	{ "5.4.0-217-generic", "#237-Ubuntu SMP", NULL, CLN, EXTR, UNK, NONE },
	{ "5.3.0-76-generic", "#72-Ubuntu SMP", NULL, CLN, EXTR, AFF, DECL },
	{ "6.8.0-40-generic", "#40-Ubuntu SMP", NULL, CLN, EXTR, CLN, EXTR },
	{ "6.1.30-060130-generic", "#202305240922 SMP", "ID=ubuntu\n", AFF, EXTR, CLN, EXTR },
	/* RHEL and its rebuilds */
	{ "5.14.0-284.11.1.el9_2.x86_64", "#1 SMP", NULL, CLN, DECL, UNK, NONE },
	{ "5.14.0-293.el9.x86_64", "#1 SMP", NULL, AFF, DECL, UNK, NONE },
	{ "5.14.0-300.el9.x86_64", NULL, NULL, AFF, DECL, UNK, NONE },
	{ "5.14.0-308.el9.x86_64", NULL, NULL, AFF, DECL, UNK, NONE },
	{ "5.14.0-427.13.1.el9_4.x86_64", NULL, NULL, UNK, NONE, UNK, NONE },
	{ "4.18.0-147.el8.x86_64", NULL, NULL, CLN, EXTR, CLN, DECL },
	{ "4.18.0-161.el8.x86_64", NULL, NULL, CLN, EXTR, AFF, DECL },
	{ "4.18.0-193.el8.x86_64", NULL, NULL, CLN, EXTR, AFF, DECL },
	{ "4.18.0-240.el8.x86_64", NULL, NULL, CLN, EXTR, AFF, DECL },
	{ "4.18.0-240.1.1.el8_3.x86_64", NULL, NULL, CLN, EXTR, CLN, DECL },
	{ "4.18.0-372.32.1.el8_6.x86_64", NULL, NULL, CLN, EXTR, UNK, NONE },
	{ "4.18.0-553.el8_10.x86_64", NULL, NULL, CLN, EXTR, UNK, NONE },
	{ "3.10.0-1127.el7.x86_64", NULL, NULL, CLN, EXTR, CLN, DECL },
	{ "3.10.0-1160.el7.x86_64", NULL, NULL, CLN, EXTR, CLN, DECL },
	{ "3.10.0-1160.119.1.el7.x86_64", NULL, NULL, CLN, EXTR, CLN, EXTR },
	{ "3.10.0-957.el7.x86_64", NULL, NULL, CLN, EXTR, UNK, NONE },
	{ "5.4.17-2136.300.7.el8uek.x86_64", NULL, NULL, UNK, NONE, UNK, NONE },
	{ "6.12.0-55.el10_0.x86_64", NULL, NULL, CLN, EXTR, CLN, EXTR },
	{ "6.3.9-1.el8.elrepo.x86_64", NULL, NULL, AFF, EXTR, CLN, EXTR },
	/* Amazon Linux 2023, Fedora, openSUSE, a local build, nonsense */
	{ "6.1.25-37.47.amzn2023.x86_64", NULL, NULL, AFF, DECL, CLN, EXTR },
	{ "6.1.30-40.1.amzn2023.x86_64", NULL, NULL, AFF, EXTR, CLN, EXTR },
	{ "6.1.41-63.109.amzn2023.x86_64", NULL, NULL, CLN, EXTR, CLN, EXTR },
	{ "6.1.56-82.125.amzn2023.x86_64", NULL, NULL, CLN, DECL, CLN, EXTR },
	{ "5.10.130-118.517.amzn2.x86_64", NULL, NULL, CLN, EXTR, AFF, EXTR },
	{ "6.2.9-300.fc38.x86_64", NULL, NULL, AFF, EXTR, CLN, EXTR },
	{ "5.3.18-lp152.57-default", NULL, NULL, UNK, NONE, AFF, DECL },
	{ "5.3.18-lp152.66-default", NULL, NULL, UNK, NONE, UNK, NONE },
	{ "5.3.18-lp152.69-default", NULL, NULL, UNK, NONE, UNK, NONE },
	{ "6.1.20-custom", NULL, NULL, AFF, EXTR, CLN, EXTR },
	{ "6.1.0-g1a2b3c4d", NULL, NULL, AFF, EXTR, CLN, EXTR },
	{ "5.10.0-60.18.0.50.oe2203.x86_64", NULL, NULL, CLN, EXTR, UNK, NONE },
	{ "banana", NULL, NULL, UNK, NONE, UNK, NONE },
};

#endif
