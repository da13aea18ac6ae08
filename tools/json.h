/* SPDX-License-Identifier: MIT */
/*
 * json.h - JSON, written as it comes (RFC 8259)
 *
 * A key is NULL inside a list. Text is UTF-8; bytes that aren't become U+FFFD, so
 * what we write can be read whatever a process calls itself.
 */
#ifndef HRESV_TOOLS_JSON_H
#define HRESV_TOOLS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *to;
	unsigned depth;
	bool more;		/* something stands before it at this depth */
	bool compact;		/* all on one line; false unless set after json_start() */
};

void json_start(struct json *j, FILE *to);
void json_object(struct json *j, const char *key);
void json_list(struct json *j, const char *key);
void json_end_object(struct json *j);	/* the outermost one ends the line */
void json_end_list(struct json *j);

void json_text(struct json *j, const char *key, const char *text);
void json_span(struct json *j, const char *key, const char *text, size_t bytes);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);	/* not known */

#endif
