// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gpgv(1) does the cryptography. It reads binary keyrings only, while distributions hand out
 * armored keys (RPM-GPG-KEY-*, *.asc): those are unpacked here.
 */
#include "kernel/gpg.h"

#include "base/fs.h"
#include "base/proc.h"

#define KEYRING_MAX (16u << 20)
#define TIMEOUT_S 60

static const char armor_begin[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
static const char armor_end[] = "-----END PGP PUBLIC KEY BLOCK-----";

/* One block's lines: headers up to a blank line, base64, "=CRC". */
static void dearmor_block(const char *text, size_t len, GByteArray *out)
{
	g_autofree char *block = g_strndup(text, len);
	g_auto(GStrv) lines = g_strsplit(block, "\n", -1);
	g_autoptr(GString) base64 = g_string_new(NULL);
	char **l = lines;

	while (*l && *g_strstrip(*l))
		l++;
	for (; *l; l++) {
		g_strstrip(*l);
		if (**l == '=')
			break;
		g_string_append(base64, *l);
	}
	if (base64->len) {
		gsize n;
		g_autofree guchar *data = g_base64_decode(base64->str, &n);

		g_byte_array_append(out, data, n);
	}
}

GBytes *gpg_dearmor(const char *text, size_t len)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	const char *at = text, *end = text + len;

	while ((at = g_strstr_len(at, end - at, armor_begin))) {
		const char *stop = g_strstr_len(at, end - at, armor_end);
		const char *body = memchr(at, '\n', end - at);

		if (!stop || !body || body > stop)
			break;
		dearmor_block(body + 1, stop - body - 1, out);
		at = stop;
	}
	if (!out->len)
		return NULL;
	return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

static bool missing_keyring(const char *path, GError **error)
{
	static const struct {
		const char *file, *package;
	} known[] = {
		{ "ubuntu-archive-keyring.gpg", "ubuntu-keyring" },
		{ "debian-archive-keyring.gpg", "debian-archive-keyring" },
	};
	g_autofree char *name = g_path_get_basename(path);

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (!strcmp(name, known[i].file))
			return lab_fail(error, LAB_ERROR_UNAVAILABLE,
					"keyring '%s' is not here\nhint: apt install %s", path,
					known[i].package);
	return lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"keyring '%s' is not here\n"
			"hint: the distribution that signs with it hands it out; docs/kernels.md "
			"says where",
			path);
}

bool gpg_keyring_there(const char *path, GError **error)
{
	return g_file_test(path, G_FILE_TEST_EXISTS) || missing_keyring(path, error);
}

/* *ret_path (caller frees) is a binary keyring. */
static bool open_keyring(const struct gpg_check *check, char **ret_path, GError **error)
{
	g_autofree char *data = NULL, *binary = NULL;
	g_autoptr(GBytes) bytes = NULL;
	size_t len;

	if (!g_file_test(check->keyring, G_FILE_TEST_IS_REGULAR))
		return missing_keyring(check->keyring, error);
	if (!fs_read(check->keyring, KEYRING_MAX, &data, &len, error))
		return false;
	if (!g_strstr_len(data, len, armor_begin)) {
		/* gpgv looks for a name without a slash elsewhere. */
		*ret_path = g_canonicalize_filename(check->keyring, NULL);
		return true;
	}
	bytes = gpg_dearmor(data, len);
	if (!bytes)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' is no keyring", check->keyring);
	binary = g_build_filename(check->tmp_dir, "keyring.gpg", NULL);
	if (!fs_write(binary, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error))
		return false;
	*ret_path = g_steal_pointer(&binary);
	return true;
}

/* The line after "[GNUPG:] WORD ", up to its end; NULL if there is none. */
static char *status_line(const char *status, const char *word)
{
	g_autofree char *mark = g_strconcat("[GNUPG:] ", word, " ", NULL);
	const char *at = status;

	while ((at = strstr(at, mark))) {
		if (at == status || at[-1] == '\n')
			return g_strndup(at + strlen(mark), strcspn(at + strlen(mark), "\n"));
		at++;
	}
	return NULL;
}

/* "FINGERPRINT DATE TIME EXPIRY VERSION - KEY-ALGORITHM HASH ...": MD5, SHA-1 and RIPEMD-160 prove
 * nothing. (gpgv's --weak-digest would also refuse the old keys whose own signatures are such.) */
static bool is_strong(const char *valid)
{
	g_auto(GStrv) words = g_strsplit(valid, " ", 9);
	uint64_t hash = g_strv_length(words) >= 8 ? g_ascii_strtoull(words[7], NULL, 10) : 0;

	return hash > 3;
}

/* A good signature's GOODSIG is followed by its VALIDSIG; an expired key's has a VALIDSIG too. */
static bool has_good(const char *status, bool *ret_weak)
{
	g_auto(GStrv) lines = g_strsplit(status, "\n", -1);
	bool is_good = false;

	*ret_weak = false;
	for (char **l = lines; *l; l++) {
		if (g_str_has_prefix(*l, "[GNUPG:] GOODSIG ")) {
			is_good = true;
		} else if (g_str_has_prefix(*l, "[GNUPG:] VALIDSIG ") && is_good) {
			if (is_strong(*l + strlen("[GNUPG:] VALIDSIG ")))
				return true;
			*ret_weak = true;
			is_good = false;
		} else if (g_str_has_prefix(*l, "[GNUPG:] NEWSIG") || strstr(*l, "KEYSIG ")) {
			is_good = false;
		}
	}
	return false;
}

bool gpg_status_good(const char *status, char **ret_reason)
{
	static const struct {
		const char *word, *reason;
	} bad[] = {
		{ "BADSIG", "is not what was signed: bad signature by key" },
		{ "REVKEYSIG", "is signed by a revoked key," },
		{ "EXPKEYSIG", "is signed by an expired key," },
		{ "EXPSIG", "has an expired signature by key" },
		{ "NO_PUBKEY", "is signed by none of the keyring's keys, but by" },
		{ "ERRSIG", "has a signature that cannot be checked, by key" },
	};
	g_autofree char *wrong = status_line(status, "BADSIG");
	bool is_weak;

	if (has_good(status, &is_weak) && !wrong)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *line = status_line(status, bad[i].word);

		if (!line)
			continue;
		line[strcspn(line, " ")] = '\0';
		*ret_reason = g_strdup_printf("%s '%s'", bad[i].reason, line);
		return false;
	}
	*ret_reason =
		g_strdup(is_weak ? "is signed with a hash that proves nothing" : "is not signed");
	return false;
}

static bool run_gpgv(const struct gpg_check *check, const char *keyring, char **ret_output,
		     GError **error)
{
	const char *inline_argv[] = { "gpgv",     "--status-fd", "1",         "--keyring", keyring,
				      "--output", check->out,    check->path, NULL };
	const char *detached_argv[] = { "gpgv",  "--status-fd",    "1",         "--keyring",
					keyring, check->signature, check->path, NULL };
	struct proc_spec spec = { .argv = check->signature ? detached_argv : inline_argv,
				  .env = (const char *const[]){ "LC_ALL=C", NULL },
				  .timeout_s = TIMEOUT_S };
	g_autoptr(GError) own = NULL;
	int status;

	if (proc_run(&spec, ret_output, &status, &own))
		return true;
	if (g_error_matches(own, LAB_ERROR, LAB_ERROR_UNAVAILABLE))
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"signatures are checked by gpgv, which is not here\n"
				"hint: apt install gpgv");
	g_propagate_error(error, g_steal_pointer(&own));
	return false;
}

bool gpg_verify(const struct gpg_check *check, GError **error)
{
	g_autofree char *keyring = NULL, *output = NULL, *reason = NULL;

	if (!open_keyring(check, &keyring, error) || !run_gpgv(check, keyring, &output, error))
		return false;
	return gpg_status_good(output, &reason) ||
	       lab_fail(error, LAB_ERROR_INPUT, "%s %s (keyring '%s')", check->what, reason,
			check->keyring);
}
