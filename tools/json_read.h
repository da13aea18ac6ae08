/* SPDX-License-Identifier: MIT */
/*
 * json_read.h - JSON read into a tree, for the files HUGETLB_STATS writes
 *
 * Any JSON is read; of text the escapes stay as they are, and of numbers only those
 * that are whole and not negative have a value: our files have no others.
 */
#ifndef HRESV_TOOLS_JSON_READ_H
#define HRESV_TOOLS_JSON_READ_H

#include <stdint.h>

#include "core/base/text.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT };

struct json_node {
	enum json_kind kind;
	struct span key;		/* in an object */
	struct span text;		/* of a text, without its quotes */
	uint64_t number;		/* of a number; 1 for true */
	struct json_node *first, *next;	/* children; what stands beside it */
};

/*
 * 0 and the tree, to be freed by json_free(); -EBADMSG: not JSON, or deeper than 64;
 * -ENOMEM. Spans in the tree point into @content.
 */
int json_parse(struct span content, struct json_node **ret_tree);
void json_free(struct json_node *tree);

/* The member @key of an object; NULL: none, or no object (NULL too). */
const struct json_node *json_member(const struct json_node *of, const char *key);
/* Its number; 0 where there is none. */
uint64_t json_number(const struct json_node *of, const char *key);
/* Its text; empty where there is none. */
struct span json_string(const struct json_node *of, const char *key);

#endif
