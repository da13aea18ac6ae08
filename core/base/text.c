/* SPDX-License-Identifier: MIT */
/* text.c - pure parsers over spans of bytes; see text.h for the contracts */
#include "core/base/text.h"

#include <errno.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

/* ASCII only: a locale's idea of case must not change what a variable means. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct span span_of(const char *zero_terminated)
{
	return (struct span){ zero_terminated, zero_terminated ? strlen(zero_terminated) : 0 };
}

bool span_equal(struct span s, const char *zero_terminated)
{
	size_t bytes = strlen(zero_terminated);

	return s.bytes == bytes && memcmp(s.at, zero_terminated, bytes) == 0;
}

bool span_starts(struct span s, const char *prefix)
{
	size_t bytes = strlen(prefix);

	return s.bytes >= bytes && memcmp(s.at, prefix, bytes) == 0;
}

bool span_next_field(struct span *rest, char separator, struct span *ret_field)
{
	if (!rest->at)
		return false;

	const char *end = rest->bytes ? memchr(rest->at, separator, rest->bytes) : NULL;

	if (!end) {
		*ret_field = *rest;
		*rest = (struct span){ 0 };
		return true;
	}
	*ret_field = (struct span){ rest->at, (size_t)(end - rest->at) };
	rest->bytes -= ret_field->bytes + 1;
	rest->at = end + 1;
	return true;
}

bool span_next_line(struct span *rest, struct span *ret_line)
{
	if (rest->bytes == 0)
		return false;
	return span_next_field(rest, '\n', ret_line);
}

bool span_next_word(struct span *rest, struct span *ret_word)
{
	size_t from = 0;

	while (from < rest->bytes && is_blank(rest->at[from]))
		from++;
	if (from == rest->bytes)
		return false;

	size_t to = from;

	while (to < rest->bytes && !is_blank(rest->at[to]))
		to++;
	*ret_word = (struct span){ rest->at + from, to - from };
	rest->at += to;
	rest->bytes -= to;
	return true;
}

struct span span_trim(struct span s)
{
	while (s.bytes && is_blank(s.at[0])) {
		s.at++;
		s.bytes--;
	}
	while (s.bytes && is_blank(s.at[s.bytes - 1]))
		s.bytes--;
	return s;
}

int text_u64(struct span s, uint64_t *ret_value)
{
	uint64_t value = 0;

	s = span_trim(s);
	if (s.bytes == 0)
		return -EBADMSG;
	for (size_t i = 0; i < s.bytes; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return -EBADMSG;
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

int text_hex(struct span s, uint64_t *ret_value)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t value = 0;

	s = span_trim(s);
	if (span_starts(s, "0x")) {
		s.at += 2;
		s.bytes -= 2;
	}
	if (s.bytes == 0)
		return -EBADMSG;
	for (size_t i = 0; i < s.bytes; i++) {
		const char *digit = s.at[i] ? strchr(digits, lower(s.at[i])) : NULL;

		if (!digit)
			return -EBADMSG;
		if (value >> 60)
			return -ERANGE;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	*ret_value = value;
	return 0;
}

/* "8" or "0-3" */
static int range_of(struct span range, uint64_t *ret_from, uint64_t *ret_to)
{
	struct span first, last;

	if (!span_next_field(&range, '-', &first) || text_u64(first, ret_from))
		return -EBADMSG;
	*ret_to = *ret_from;
	if (span_next_field(&range, '-', &last) && (text_u64(last, ret_to) || range.at))
		return -EBADMSG;
	return *ret_to < *ret_from ? -EBADMSG : 0;
}

int text_set(struct span list, uint64_t *ret_words, size_t words)
{
	const struct span whole = span_trim(list);
	uint64_t from, to;
	struct span range;

	for (list = whole; span_next_field(&list, ',', &range); )
		if (range_of(range, &from, &to) != 0 || to >= words * 64)
			return -EBADMSG;
	memset(ret_words, 0, words * sizeof(*ret_words));
	for (list = whole; span_next_field(&list, ',', &range); )
		for (range_of(range, &from, &to); from <= to; from++)
			ret_words[from / 64] |= (uint64_t)1 << (from % 64);
	return 0;
}

static int unit_shift(struct span unit, unsigned *ret_shift)
{
	static const char letters[] = "kmgt";
	const char *letter;

	if (unit.bytes == 0) {
		*ret_shift = 0;
		return 0;
	}
	letter = strchr(letters, lower(unit.at[0]));
	if (!letter || *letter == '\0')
		return -EINVAL;
	unit.at++;
	unit.bytes--;
	if (unit.bytes && !text_same(unit, "b") && !text_same(unit, "ib"))
		return -EINVAL;
	*ret_shift = 10 * ((unsigned)(letter - letters) + 1);
	return 0;
}

int text_size(struct span s, size_t *ret_bytes)
{
	size_t digits = 0;
	unsigned shift;
	uint64_t value;

	s = span_trim(s);
	while (digits < s.bytes && s.at[digits] >= '0' && s.at[digits] <= '9')
		digits++;

	int err = text_u64((struct span){ s.at, digits }, &value);

	if (err)
		return err == -ERANGE ? err : -EINVAL;
	err = unit_shift((struct span){ s.at + digits, s.bytes - digits }, &shift);
	if (err)
		return err;
	if (value > (SIZE_MAX >> shift))
		return -ERANGE;
	*ret_bytes = (size_t)value << shift;
	return 0;
}

bool text_same(struct span s, const char *zero_terminated)
{
	if (s.bytes != strlen(zero_terminated))
		return false;
	for (size_t i = 0; i < s.bytes; i++)
		if (lower(s.at[i]) != lower(zero_terminated[i]))
			return false;
	return true;
}

int text_switch(struct span s, bool *ret_on)
{
	static const char *const yes[] = { "yes", "y", "true", "on", "1" };
	static const char *const no[] = { "no", "n", "false", "off", "0" };

	s = span_trim(s);
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (text_same(s, yes[i]) || text_same(s, no[i])) {
			*ret_on = text_same(s, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

size_t text_unescape(struct span s, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < s.bytes; i++) {
		const char *c = s.at + i;

		if (*c == '\\' && s.bytes - i > 3 && is_octal(c[1]) && is_octal(c[2]) &&
		    is_octal(c[3])) {
			to[n++] = (char)((c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0'));
			i += 3;
		} else {
			to[n++] = *c;
		}
	}
	to[n] = '\0';
	return n;
}

bool text_listed(struct span list, char separator, struct span value)
{
	struct span entry;

	while (span_next_field(&list, separator, &entry))
		if (entry.bytes == value.bytes && entry.bytes &&
		    memcmp(entry.at, value.at, entry.bytes) == 0)
			return true;
	return false;
}
