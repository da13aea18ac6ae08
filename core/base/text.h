/* SPDX-License-Identifier: MIT */
/*
 * text.h - pure parsers over spans of bytes
 *
 * Nothing here allocates, enters the kernel or knows a locale. A span need not
 * end in a zero byte. Functions return 0 or -errno and leave ret_ arguments
 * untouched on failure.
 */
#ifndef HRESV_CORE_BASE_TEXT_H
#define HRESV_CORE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *at;
	size_t bytes;
};

struct span span_of(const char *zero_terminated);
bool span_equal(struct span s, const char *zero_terminated);
bool span_starts(struct span s, const char *prefix);

/* Cuts the next line (without its newline) off @rest; false when none is left. */
bool span_next_line(struct span *rest, struct span *ret_line);

/* Cuts the next run of bytes up to @separator off @rest; empty fields count. */
bool span_next_field(struct span *rest, char separator, struct span *ret_field);

/* Cuts the next word off @rest: words are parted by one or more blanks. */
bool span_next_word(struct span *rest, struct span *ret_word);

/* A span without its leading and trailing blanks and newlines. */
struct span span_trim(struct span s);

/*
 * An unsigned decimal number that fills the whole (trimmed) span.
 * -EBADMSG: not a decimal number; -ERANGE: does not fit 64 bits.
 */
int text_u64(struct span s, uint64_t *ret_value);

/* The same in hexadecimal, with or without 0x; -EBADMSG, -ERANGE. */
int text_hex(struct span s, uint64_t *ret_value);

/*
 * A list of numbers and ranges as the kernel writes them, "0-3,8", as bits of @ret_words[0..words).
 * -EBADMSG: no such list, or a number that has no bit there.
 */
int text_set(struct span list, uint64_t *ret_words, size_t words);

/*
 * A size in bytes: a decimal number with an optional unit K, M, G or T
 * (powers of 1024, any case, an optional B or iB behind it).
 * -EINVAL: no such size; -ERANGE: does not fit size_t.
 */
int text_size(struct span s, size_t *ret_bytes);

/* yes, y, true, on, 1 / no, n, false, off, 0 in any case; else -EINVAL. */
int text_switch(struct span s, bool *ret_on);

/* As span_equal, but for ASCII case. */
bool text_same(struct span s, const char *zero_terminated);

/*
 * Copies @s into @to with the octal escapes of /proc/self/mountinfo (\040)
 * resolved, and a zero byte behind. Needs s.bytes + 1 bytes at @to.
 * Returns the number of bytes written before the zero.
 */
size_t text_unescape(struct span s, char *to);

/*
 * True when entry @value is in the separated list @list, as
 * HUGETLB_RESTRICT_EXE and HUGETLB_PATH write them.
 */
bool text_listed(struct span list, char separator, struct span value);

#endif
