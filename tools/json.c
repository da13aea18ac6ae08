/* SPDX-License-Identifier: MIT */
/* json.c - see json.h */
#include "tools/json.h"

#include <inttypes.h>
#include <string.h>

void json_start(struct json *j, FILE *to)
{
	*j = (struct json){ .to = to };
}

/* The length of the letter at @at, 0 when it is not UTF-8 (RFC 3629). */
static size_t letter_bytes(const unsigned char *at, size_t bytes)
{
	size_t n = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 :
		   at[0] < 0xf5 ? 4 : 0;

	if (n > bytes)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f)))
		return 0;
	if (n == 4 && ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f)))
		return 0;
	return n;
}

static void string(struct json *j, const char *text, size_t bytes)
{
	const unsigned char *at = (const unsigned char *)text;

	fputc('"', j->to);
	while (bytes) {
		size_t n = letter_bytes(at, bytes);

		if (n == 0)
			fputs("\\ufffd", j->to);
		else if (*at == '"' || *at == '\\')
			fprintf(j->to, "\\%c", *at);
		else if (*at < 0x20 || *at == 0x7f)
			fprintf(j->to, "\\u%04x", *at);
		else
			fwrite(at, 1, n, j->to);
		n += n == 0;
		at += n;
		bytes -= n;
	}
	fputc('"', j->to);
}

static void new_line(struct json *j)
{
	if (j->compact)
		return;
	fputc('\n', j->to);
	for (unsigned i = 0; i < j->depth; i++)
		fputs("  ", j->to);
}

/* What stands before a value: a comma, a line of its own, the key. */
static void before(struct json *j, const char *key)
{
	if (j->more)
		fputc(',', j->to);
	if (j->depth)
		new_line(j);
	if (key) {
		string(j, key, strlen(key));
		fputs(": ", j->to);
	}
	j->more = true;
}

static void begin(struct json *j, const char *key, char bracket)
{
	before(j, key);
	fputc(bracket, j->to);
	j->depth++;
	j->more = false;
}

static void end(struct json *j, char bracket)
{
	j->depth--;
	if (j->more)
		new_line(j);
	fputc(bracket, j->to);
	j->more = true;
	if (j->depth == 0)
		fputc('\n', j->to);
}

void json_object(struct json *j, const char *key)
{
	begin(j, key, '{');
}

void json_list(struct json *j, const char *key)
{
	begin(j, key, '[');
}

void json_end_object(struct json *j)
{
	end(j, '}');
}

void json_end_list(struct json *j)
{
	end(j, ']');
}

void json_span(struct json *j, const char *key, const char *text, size_t bytes)
{
	before(j, key);
	string(j, text, bytes);
}

void json_text(struct json *j, const char *key, const char *text)
{
	json_span(j, key, text, strlen(text));
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	before(j, key);
	fprintf(j->to, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	before(j, key);
	fprintf(j->to, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	before(j, key);
	fputs(value ? "true" : "false", j->to);
}

void json_null(struct json *j, const char *key)
{
	before(j, key);
	fputs("null", j->to);
}
