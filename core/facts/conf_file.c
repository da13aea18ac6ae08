/* SPDX-License-Identifier: MIT */
/*
 * conf_file.c - the text of hresv.conf, line by line; see conf_file.h
 *
 * Read at the start of every program under us: where there is no file that is one
 * failing open(2). Values are made zero-terminated in the text itself.
 */
#include "core/facts/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/sys.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span without_comment(struct span s)
{
	for (size_t i = 0; i < s.bytes; i++)
		if (s.at[i] == '#' && (i == 0 || is_blank(s.at[i - 1])))
			s.bytes = i;
	return s;
}

static void wrong(struct conf_line *l, const char *what, struct span name)
{
	l->kind = CONF_LINE_WRONG;
	l->what = what;
	l->name = name;
}

static unsigned column_of(const char *start, const char *at)
{
	return (unsigned)(at - start) + 1;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* "build-id HEX": true, and the digits. */
static bool is_build_id(struct span rule, struct span *ret_digits)
{
	struct span word;

	if (!span_next_word(&rule, &word) || !span_equal(word, "build-id"))
		return false;
	*ret_digits = span_trim(rule);
	return true;
}

static void read_rule(struct conf_line *l, struct span s, const char *start)
{
	struct span digits;

	if (s.at[s.bytes - 1] != ']' || s.bytes < 2) {
		l->column = column_of(start, s.at + s.bytes);
		wrong(l, "lacks its ]", s);
		return;
	}
	l->kind = CONF_LINE_RULE;
	l->rule = span_trim((struct span){ s.at + 1, s.bytes - 2 });
	if (l->rule.bytes == 0) {
		wrong(l, "names no program", s);
		return;
	}
	l->column = column_of(start, l->rule.at);
	if (!is_build_id(l->rule, &digits))
		return;
	if (digits.bytes == 0 || digits.bytes % 2)
		wrong(l, "is no build-id in hexadecimal", s);
	for (size_t i = 0; i < digits.bytes; i++) {
		if (!is_hex(digits.at[i])) {
			l->column = column_of(start, digits.at + i);
			wrong(l, "is no build-id in hexadecimal", s);
			return;
		}
	}
}

static void read_setting(struct conf_line *l, struct span s, const char *start)
{
	const char *equals = memchr(s.at, '=', s.bytes);

	if (!equals) {
		wrong(l, "is neither NAME = VALUE nor a [rule]", s);
		return;
	}
	l->kind = CONF_LINE_SETTING;
	l->name = span_trim((struct span){ s.at, (size_t)(equals - s.at) });
	l->value = span_trim((struct span){ equals + 1, s.bytes - (size_t)(equals + 1 - s.at) });
	if (l->name.bytes == 0) {
		wrong(l, "has no name before its =", s);
		return;
	}
	if (l->value.bytes == 0) {
		l->column = column_of(start, equals + 1);
		wrong(l, "has no value", l->name);
		return;
	}
	l->value_column = column_of(start, l->value.at);
}

bool conf_file_next(struct conf_cursor *cursor, struct conf_line *ret_line)
{
	struct span whole, s;

	while (span_next_line(&cursor->rest, &whole)) {
		cursor->line++;
		s = span_trim(without_comment(whole));
		if (s.bytes == 0 && !memchr(whole.at, '\0', whole.bytes))
			continue;
		*ret_line = (struct conf_line){ .line = cursor->line,
						.column = column_of(whole.at, s.at) };
		if (memchr(whole.at, '\0', whole.bytes))
			wrong(ret_line, "holds a zero byte", (struct span){ 0 });
		else if (s.at[0] == '[')
			read_rule(ret_line, s, whole.at);
		else
			read_setting(ret_line, s, whole.at);
		return true;
	}
	return false;
}

/* Places in a pattern and in a text; a star can be taken up again from them. */
struct places {
	size_t p, t;
	bool set;
};

/*
 * Two stars to come back to are enough: what a '*' took ends at the next '/', and
 * of two "**" the later one alone need be tried again.
 */
static bool glob(struct span pattern, struct span text)
{
	struct places one = { 0 }, many = { 0 };
	size_t p = 0, t = 0;

	while (t < text.bytes || p < pattern.bytes) {
		const char c = p < pattern.bytes ? pattern.at[p] : '\0';

		if (c == '*' && p + 1 < pattern.bytes && pattern.at[p + 1] == '*') {
			p += 2;
			many = (struct places){ p, t, true };
			one.set = false;
		} else if (c == '*') {
			p++;
			one = (struct places){ p, t, true };
		} else if (c && t < text.bytes && c == '?' && text.at[t] != '/') {
			p++;
			t++;
		} else if (c && t < text.bytes && c == '\\' && p + 1 < pattern.bytes &&
			   pattern.at[p + 1] == text.at[t]) {
			p += 2;
			t++;
		} else if (c && t < text.bytes && c != '?' && c != '\\' && c == text.at[t]) {
			p++;
			t++;
		} else if (one.set && one.t < text.bytes && text.at[one.t] != '/') {
			t = ++one.t;
			p = one.p;
		} else if (many.set && many.t < text.bytes) {
			t = ++many.t;
			p = many.p;
			one.set = false;
		} else {
			return false;
		}
	}
	return true;
}

static bool is_digits_of(struct span digits, struct span bytes)
{
	if (bytes.bytes == 0 || digits.bytes != 2 * bytes.bytes)
		return false;
	for (size_t i = 0; i < bytes.bytes; i++) {
		uint64_t value;

		if (text_hex((struct span){ digits.at + 2 * i, 2 }, &value) ||
		    value != (unsigned char)bytes.at[i])
			return false;
	}
	return true;
}

bool conf_rule_matches(struct span rule, const struct conf_program *program)
{
	static const char deleted[] = " (deleted)";
	const size_t tail = sizeof(deleted) - 1;
	struct span digits, path = span_of(program->exe), rest, part, base = { 0 };

	if (is_build_id(rule, &digits))
		return is_digits_of(digits, program->build_id);
	if (!path.bytes)
		return false;
	if (path.bytes > tail && memcmp(path.at + path.bytes - tail, deleted, tail) == 0)
		path.bytes -= tail;
	if (memchr(rule.at, '/', rule.bytes))
		return glob(rule, path);
	rest = path;
	while (span_next_field(&rest, '/', &part))
		base = part;
	return glob(rule, base);
}

/* All of a regular file; what is none has no text. */
static int read_text(int fd, struct conf_file *file)
{
	struct stat st;
	long err = sys_fstat(fd, &st);

	if (err)
		return (int)err;
	if (S_ISCHR(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	for (;;) {
		int no_room = blob_reserve(&file->text, mem_page_bytes() - 1);

		if (no_room)
			return no_room;

		long got = sys_read(fd, file->text.at + file->text.bytes,
				    file->text.room - file->text.bytes - 1);

		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)got;
		file->text.bytes += (size_t)got;
		file->text.at[file->text.bytes] = '\0';
		if (got == 0)
			return 0;
		if (file->text.bytes > CONF_FILE_MAX)
			return -EFBIG;
	}
}

int conf_file_read(const char *path, struct conf_file *ret_file)
{
	/* Not blocking: somebody may have made a FIFO of it. */
	long fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);

	*ret_file = (struct conf_file){ .path = path };
	if (fd < 0) {
		ret_file->error = (int)fd;
		return 0;
	}
	ret_file->error = read_text((int)fd, ret_file);
	sys_close((int)fd);
	if (ret_file->error) {
		int err = ret_file->error;

		blob_free(&ret_file->text);
		ret_file->text = (struct blob){ 0 };
		return err == -ENOMEM ? err : 0;
	}

	struct conf_cursor cursor = { .rest = { ret_file->text.at, ret_file->text.bytes } };
	struct conf_line line;

	while (!ret_file->has_rules && conf_file_next(&cursor, &line))
		ret_file->has_rules = line.kind == CONF_LINE_RULE;
	return 0;
}

int conf_file_select(struct conf_file *file, const struct conf_program *program)
{
	struct conf_cursor cursor = { .rest = { file->text.at, file->text.bytes } };
	struct conf_line line;
	bool ours = true;

	while (conf_file_next(&cursor, &line)) {
		if (line.kind == CONF_LINE_RULE)
			ours = conf_rule_matches(line.rule, program);
		/* Below a rule that can't be read, nobody is meant. */
		if (line.kind == CONF_LINE_WRONG && line.name.bytes && line.name.at[0] == '[')
			ours = false;
		if (line.kind == CONF_LINE_RULE || (line.kind == CONF_LINE_SETTING && !ours))
			continue;

		const struct conf_setting s = {
			.name = line.name, .value = line.value, .line = line.line,
			.column = line.column, .value_column = line.value_column,
			.wrong = line.what,
		};
		int err = blob_add(&file->settings, &s, sizeof(s));

		if (err)
			return err;
	}

	/* Only now: a zero byte in the text would be an error to who reads it. */
	const struct conf_setting *list = (const void *)file->settings.at;

	for (size_t i = 0; i < file->settings.bytes / sizeof(*list); i++)
		if (!list[i].wrong)
			((char *)list[i].value.at)[list[i].value.bytes] = '\0';
	return 0;
}

void conf_file_free(struct conf_file *file)
{
	blob_free(&file->text);
	blob_free(&file->settings);
	*file = (struct conf_file){ 0 };
}
