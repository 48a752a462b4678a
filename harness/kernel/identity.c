// SPDX-License-Identifier: GPL-2.0-or-later
/* See identity.h. */
#include "kernel/identity.h"

#include "kernel/banner.h"

/* Branches that kernel.org has called longterm. */
static const char *const longterm[] = { "2.6.32", "3.2",  "3.4", "3.10", "3.12", "3.14", "3.16",
					"3.18",   "4.1",  "4.4", "4.9",  "4.14", "4.19", "5.4",
					"5.10",   "5.15", "6.1", "6.6",  "6.12", "6.18", NULL };

bool kernel_identity_ktb(const struct kernel *k, struct ktb_kernel *ret)
{
	g_autofree char *os_release = k->vendor ? g_strdup_printf("ID=%s\n", k->vendor) : NULL;

	if (!ktb_identify(ret, k->release, k->version, os_release))
		return false;
	/* The package's version is exact where the release only names an ABI. */
	if (!ret->build[0] && k->package_version && !g_strcmp0(k->vendor, ret->vendor))
		ktb_copy(ret->build, sizeof(ret->build), k->package_version, sizeof(ret->build));
	return true;
}

/* "6.1.76" -> "6.1" */
static char *branch_of(const char *base)
{
	const char *minor = strchr(base, '.');
	size_t n = minor ? strcspn(minor + 1, ".~") : 0;

	return minor ? g_strndup(base, minor + 1 + n - base) : g_strdup(base);
}

static const char *line_of(const struct ktb_kernel *k, const char *branch)
{
	if (k->trust == KTB_BASE_FROZEN)
		return "frozen";
	/* X.Y itself: of a vendor that does not tell the last number it may be any X.Y.Z */
	if (strstr(k->base, "~rc") || (k->base_exact && g_str_has_suffix(k->base, ".0")))
		return "mainline";
	return g_strv_contains(longterm, branch) ? "longterm" : "stable";
}

static json_t *options_json(const struct kernel *k, const char *const *options)
{
	json_t *all;

	if (!k->config)
		return json_null();
	all = json_object();
	for (; options && *options; options++) {
		g_autofree char *value = kernel_config_get(k, *options);

		json_object_set_new(all, *options, json_string(value ? value : "n"));
	}
	return all;
}

/* The banner's, which is the image's own; else what the config says of its compiler (4.18+). */
static char *compiler_of(const struct kernel *k)
{
	char *compiler = k->banner ? banner_compiler(k->banner) : NULL;

	return compiler || !k->config ? compiler : kernel_config_get(k, "CONFIG_CC_VERSION_TEXT");
}

void kernel_identify(struct kernel *k, const char *const *options)
{
	g_autofree char *compiler = compiler_of(k), *branch = NULL, *shown = NULL;
	struct ktb_kernel ktb;
	const char *line;

	json_decref(k->identity);
	k->identity = NULL;
	if (!kernel_identity_ktb(k, &ktb))
		return;
	branch = branch_of(ktb.base);
	line = line_of(&ktb, branch);
	shown = strcmp(line, "mainline") ? g_strconcat(branch, ".y", NULL) : g_strdup(line);
	k->identity =
		json_pack("{s:s, s:s?, s:s, s:b, s:s, s:s, s:s?, s:s?, s:o}", "vendor", ktb.vendor,
			  "full", ktb.build[0] ? ktb.build : NULL, "base", ktb.base, "base_exact",
			  ktb.base_exact, "branch", shown, "line", line, "compiler", compiler,
			  "banner", k->banner, "options", options_json(k, options));
}

/* Digits, dots and a candidate's number: nothing else is a release. */
static bool is_release(const char *base)
{
	const char *candidate = strstr(base, "~rc");
	size_t len = strspn(base, "0123456789.");

	if (!len || !strchr(base, '.'))
		return false;
	return candidate ? base + len == candidate && candidate[3] &&
				   !candidate[3 + strspn(candidate + 3, "0123456789")] :
			   !base[len];
}

char *kernel_upstream_tag(const struct kernel *k)
{
	g_autofree char *base = NULL;
	struct ktb_kernel ktb;
	char *candidate;

	if (!kernel_identity_ktb(k, &ktb) || !ktb.base_exact || ktb.trust != KTB_BASE_EXACT ||
	    !is_release(ktb.base))
		return NULL;
	base = g_strdup(ktb.base);
	candidate = strstr(base, "~rc");
	if (candidate)
		*candidate = '\0';
	if (g_str_has_suffix(base, ".0"))
		base[strlen(base) - 2] = '\0';
	return g_strdup_printf("v%s%s%s", base, candidate ? "-" : "", candidate ? candidate + 1 : "");
}
