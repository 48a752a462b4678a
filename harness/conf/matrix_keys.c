// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of kernels.yaml's keys; see matrix_keys.h. */
#include "conf/matrix_keys.h"

#include "base/ktb_identify.h"
#include "conf/matrix.h"

const char *const matrix_source_names[] = { "apt", "deb", "rpm", "git", "dir", "file", NULL };
const char *const matrix_top_keys[] = { "defaults", "kernels", "families", "default",
					"hosts",    NULL };

static const char *const verify_values[] = { "none", NULL };
#define APT (1u << MATRIX_APT)
#define DEB (1u << MATRIX_DEB)
#define RPM (1u << MATRIX_RPM)
#define GIT (1u << MATRIX_GIT)
#define DIR (1u << MATRIX_DIR)
#define FILE_ (1u << MATRIX_FILE)
#define ALL (APT | DEB | RPM | GIT | DIR | FILE_)
#define ANYWHERE (MATRIX_AT_DEFAULTS | MATRIX_AT_FAMILY | MATRIX_AT_MEMBER | MATRIX_AT_KERNEL)
#define OWN (MATRIX_AT_MEMBER | MATRIX_AT_KERNEL)
#define FIELD(name) offsetof(struct kernel_spec, name)

const struct matrix_key matrix_keys[] = {
	{ .name = "id",
	  .type = MATRIX_WORD,
	  .at = MATRIX_AT_KERNEL | MATRIX_AT_FAMILY,
	  .sources = ALL,
	  .needed = ALL,
	  .more = MATRIX_ID_MORE,
	  .offset = FIELD(id),
	  .doc = "what the kernel is called in commands and reports; of a family: what its "
		 "members' ids begin with" },
	{ .name = "aliases",
	  .type = MATRIX_WORDS,
	  .at = OWN,
	  .sources = ALL,
	  .more = MATRIX_ID_MORE,
	  .offset = FIELD(aliases),
	  .doc = "other names for `-k`; capitals, and blanks in place of `-`, make no difference" },
	{ .name = "source",
	  .type = MATRIX_ENUM,
	  .at = MATRIX_AT_DEFAULTS | MATRIX_AT_FAMILY | MATRIX_AT_KERNEL,
	  .sources = ALL,
	  .needed = ALL,
	  .values = matrix_source_names,
	  .offset = FIELD(source),
	  .doc = "where the kernel comes from" },
	{ .name = "vendor",
	  .type = MATRIX_ENUM,
	  .at = ANYWHERE,
	  .sources = ALL,
	  .offset = FIELD(vendor),
	  .doc = "whose kernel it is, which decides how versions compare; absent: told from its "
		 "release" },
	{ .name = "suite",
	  .type = MATRIX_WORD,
	  .group = MATRIX_GROUP_SUITE,
	  .at = ANYWHERE,
	  .sources = APT | DEB,
	  .needed = APT,
	  .repo_only = DEB | RPM,
	  .more = ".-/_",
	  .offset = FIELD(suite),
	  .doc = "suite of the archive, such as `bookworm-backports`" },
	{ .name = "suites",
	  .type = MATRIX_JOINED,
	  .group = MATRIX_GROUP_SUITE,
	  .at = ANYWHERE,
	  .sources = APT | DEB,
	  .repo_only = DEB | RPM,
	  .more = ".-/_",
	  .offset = FIELD(suite),
	  .doc = "several suites; the newest version wins" },
	{ .name = "package",
	  .type = MATRIX_WORD,
	  .at = ANYWHERE,
	  .sources = APT | DEB | RPM,
	  .needed = APT,
	  .repo_only = DEB | RPM,
	  .more = ".+-_",
	  .offset = FIELD(package),
	  .doc = "name of the package; apt follows a metapackage to its newest image" },
	{ .name = "version",
	  .type = MATRIX_WORD,
	  .at = OWN,
	  .sources = APT | DEB | RPM,
	  .repo_only = DEB | RPM,
	  .more = ".+-~:^_",
	  .offset = FIELD(version),
	  .doc = "exactly that version of the package; absent: the newest" },
	{ .name = "check-valid-until",
	  .type = MATRIX_BOOL,
	  .at = ANYWHERE,
	  .sources = APT | DEB,
	  .repo_only = DEB | RPM,
	  .inverted = true,
	  .offset = FIELD(ignore_valid_until),
	  .doc = "`no` accepts an expired Release file; its signature is still checked, and "
		 "reports "
		 "say so" },
	{ .name = "url",
	  .type = MATRIX_URL,
	  .group = MATRIX_GROUP_PLACE,
	  .at = ANYWHERE,
	  .sources = DEB | RPM,
	  .needed = DEB | RPM,
	  .offset = FIELD(url),
	  .doc = "the package itself: http, https, or a path" },
	{ .name = "repo",
	  .type = MATRIX_URL,
	  .group = MATRIX_GROUP_PLACE,
	  .at = ANYWHERE,
	  .sources = DEB | RPM,
	  .offset = FIELD(repo),
	  .doc = "a repository whose index leads to the package: what holds `dists/` (deb) or "
		 "`repodata/` (rpm)" },
	{ .name = "component",
	  .type = MATRIX_WORD,
	  .at = ANYWHERE,
	  .sources = DEB,
	  .repo_only = DEB | RPM,
	  .more = "-/_.",
	  .offset = FIELD(component),
	  .doc = "component of the suite; absent: `main`" },
	{ .name = "keyring",
	  .type = MATRIX_PATH,
	  .group = MATRIX_GROUP_TRUST,
	  .at = ANYWHERE,
	  .sources = DEB | RPM,
	  .needed = DEB | RPM,
	  .repo_only = DEB,
	  .offset = FIELD(keyring),
	  .doc = "file of the OpenPGP keys that sign the repository's index (deb, rpm) or the "
		 "package (rpm)" },
	{ .name = "sha256",
	  .type = MATRIX_SHA256,
	  .group = MATRIX_GROUP_TRUST,
	  .at = OWN,
	  .sources = DEB | RPM,
	  .offset = FIELD(sha256),
	  .doc = "of the package: 64 hex digits" },
	{ .name = "verify",
	  .type = MATRIX_ENUM,
	  .group = MATRIX_GROUP_TRUST,
	  .at = ANYWHERE,
	  .sources = DEB | RPM,
	  .values = verify_values,
	  .offset = FIELD(verify_none),
	  .doc = "`none`: take it unverified; every report says so" },
	{ .name = "remote",
	  .type = MATRIX_TEXT,
	  .at = ANYWHERE,
	  .sources = GIT,
	  .needed = GIT,
	  .offset = FIELD(remote),
	  .doc = "URL or path of a git repository" },
	{ .name = "ref",
	  .type = MATRIX_WORD,
	  .at = OWN,
	  .sources = GIT,
	  .needed = GIT,
	  .more = "._/+-",
	  .offset = FIELD(ref),
	  .doc = "tag, branch or commit to build" },
	{ .name = "config",
	  .type = MATRIX_PATH,
	  .at = ANYWHERE,
	  .sources = GIT,
	  .offset = FIELD(config),
	  .doc = "fragment of kernel options on top of what guests need" },
	{ .name = "patches",
	  .type = MATRIX_PATHS,
	  .at = ANYWHERE,
	  .sources = GIT,
	  .offset = FIELD(patches),
	  .doc = "patches (`.patch`, `.diff`) and semantic patches (`.cocci`), in their order" },
	{ .name = "compiler",
	  .type = MATRIX_WORD,
	  .at = ANYWHERE,
	  .sources = GIT,
	  .more = ".-+_",
	  .offset = FIELD(compiler),
	  .doc = "such as `gcc-10`; absent: one that the kernel's version is known to build with" },
	{ .name = "path",
	  .type = MATRIX_PATH,
	  .at = ANYWHERE,
	  .sources = DIR | FILE_,
	  .needed = DIR | FILE_,
	  .offset = FIELD(path),
	  .doc = "file: a bzImage; dir: a build tree, or a folder with an image and its config" },
	{ .name = "ids",
	  .type = MATRIX_TEXT,
	  .at = MATRIX_AT_FAMILY,
	  .sources = ALL,
	  .no_field = true,
	  .doc = "how members' ids are made; absent: `{family}-{name}`" },
	{ .name = "versions",
	  .type = MATRIX_MEMBERS,
	  .at = MATRIX_AT_FAMILY,
	  .sources = APT | DEB | RPM,
	  .no_field = true,
	  .doc = "the members: a list of versions, a map of names to versions, or `{from, to}`, "
		 "which counts the last number" },
	{ .name = "refs",
	  .type = MATRIX_MEMBERS,
	  .at = MATRIX_AT_FAMILY,
	  .sources = GIT,
	  .no_field = true,
	  .doc = "the members: a list of refs, a map of names to refs, or `{from, to}`, which are "
		 "all `vX.Y` of mainline between them" },
};
const unsigned matrix_n_keys = G_N_ELEMENTS(matrix_keys);
G_STATIC_ASSERT(G_N_ELEMENTS(matrix_keys) <= MATRIX_KEYS_MAX);

int matrix_key_find(const char *name)
{
	for (unsigned i = 0; i < matrix_n_keys; i++)
		if (!strcmp(matrix_keys[i].name, name))
			return i;
	return -1;
}

const char *const *matrix_key_values(const struct matrix_key *key)
{
	static const char *vendors[KTB_N_VENDORS + 1];

	if (key->type != MATRIX_ENUM || key->values)
		return key->values;
	for (size_t i = 0; i < KTB_N_VENDORS; i++)
		vendors[i] = ktb_vendors[i].name;
	return vendors;
}

const char **matrix_key_names(unsigned at)
{
	const char **names = g_new0(const char *, matrix_n_keys + 1);
	unsigned n = 0;

	for (unsigned i = 0; i < matrix_n_keys; i++)
		if (matrix_keys[i].at & at)
			names[n++] = matrix_keys[i].name;
	return names;
}

enum matrix_source matrix_source_find(const char *name)
{
	unsigned i = 0;

	while (i < MATRIX_SOURCES && g_strcmp0(matrix_source_names[i], name))
		i++;
	return i;
}

const char *matrix_type_name(enum matrix_type type)
{
	static const char *const names[] = {
		[MATRIX_WORD] = "word",
		[MATRIX_WORDS] = "list of words",
		[MATRIX_JOINED] = "list of words",
		[MATRIX_TEXT] = "text",
		[MATRIX_PATH] = "path",
		[MATRIX_PATHS] = "list of paths",
		[MATRIX_URL] = "URL or path",
		[MATRIX_SHA256] = "sha256",
		[MATRIX_BOOL] = "yes or no",
		[MATRIX_ENUM] = "one of",
		[MATRIX_MEMBERS] = "members",
	};

	return names[type];
}

bool matrix_word_is_good(const char *word, const char *more)
{
	for (const char *at = word; *at; at++)
		if (!g_ascii_isalnum(*at) && !strchr(more, *at))
			return false;
	return g_ascii_isalnum(*word);
}

/* Ids become folder names and parts of reports. */
bool matrix_id_is_good(const char *id)
{
	return matrix_word_is_good(id, MATRIX_ID_MORE) && strlen(id) <= MATRIX_ID_MAX;
}
