/* SPDX-License-Identifier: MIT */
/*
 * conf_value.h - the kinds of variables, and what their values mean
 */
#ifndef HRESV_CORE_FACTS_CONF_VALUE_H
#define HRESV_CORE_FACTS_CONF_VALUE_H

#include "core/facts/conf.h"

enum kind {
	KIND_SWITCH,		/* yes, no */
	KIND_BYTES,		/* size_t or uint64_t: the same on all we run on */
	KIND_COUNT,		/* uint64_t */
	KIND_LEVEL,		/* unsigned, 0 to 99 */
	KIND_PAGE,		/* size_t, a huge page size */
	KIND_USE,		/* struct conf_use: yes, no, a huge page size */
	KIND_HEAP,		/* the same, or thp */
	KIND_ELFMAP,		/* the first four of struct conf_elf */
	KIND_CHOICE,		/* an enum: the words of @words, in its order */
	KIND_TEXT,		/* const char * */
	KIND_NONE,		/* known, and ignored */
};

struct variable {
	char name[20];		/* without HUGETLB_ */
	uint8_t kind;
	bool idle;		/* accepted, without effect */
	uint16_t to;		/* offset in struct conf */
	char words[28];
	char used_instead[20];	/* of a bad value: what the default is */
};

/*
 * Sets what @v stands for in @c: NULL, or what is wrong with @value (as "is not a
 * size"), and @c is untouched. Strings in @c point to @value.
 */
const char *conf_value(const struct variable *v, const char *value, struct conf *c);

#endif
