/* SPDX-License-Identifier: MIT */
/*
 * conf_file.h - hresv.conf: defaults for every program, and rules for some
 *
 *     limit = 4G                    # for every program
 *     [/opt/db/bin/postgres]
 *     limit = 16G                   # for those the rule names
 *     [build-id 8d1c...]
 *     active = no
 *
 * Of settings that concern a program the one furthest down counts, and before all
 * of them the environment. Names are those of the variables, with or without
 * HUGETLB_, in any case, with - for _. A '#' at the start of a line or behind a
 * blank begins a comment. hresv.conf(5).
 */
#ifndef HRESV_CORE_FACTS_CONF_FILE_H
#define HRESV_CORE_FACTS_CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/mem.h"
#include "core/base/text.h"

/* A file longer than this is no configuration, and is not read. */
#define CONF_FILE_MAX ((size_t)1 << 20)

enum conf_line_kind {
	CONF_LINE_RULE,		/* @rule: what stands between the brackets */
	CONF_LINE_SETTING,	/* @name and @value, neither empty */
	CONF_LINE_WRONG,	/* @what, at @column; @name is the offending text */
};

struct conf_line {
	enum conf_line_kind kind;
	unsigned line, column;		/* from 1; of the rule, the name, what is wrong */
	unsigned value_column;
	struct span rule, name, value;
	const char *what;
};

/* Reading place in a text; { .rest = text } is its beginning. */
struct conf_cursor {
	struct span rest;
	unsigned line;
};

/* The next line that says anything; false at the end. Pure. */
bool conf_file_next(struct conf_cursor *cursor, struct conf_line *ret_line);

/* Who a rule is compared with. */
struct conf_program {
	const char *exe;	/* resolved path, NULL when unknown */
	struct span build_id;	/* the bytes, empty when there is none */
};

/*
 * Does @rule mean @program? A rule with a '/' is compared with the whole path, one
 * without with the base name; '*' stands for any bytes but '/', "**" for any
 * bytes, '?' for one byte but '/'; a backslash takes the next byte as it is.
 * "build-id HEX" is compared with the build-id. A path of a file replaced since
 * (" (deleted)") counts as the path.
 */
bool conf_rule_matches(struct span rule, const struct conf_program *program);

/* A setting that concerns the program, or a line that can't be read. */
struct conf_setting {
	struct span name, value;	/* a zero byte follows the value */
	unsigned line, column, value_column;
	const char *wrong;		/* NULL, or what is wrong with the line */
};

struct conf_file {
	const char *path;	/* as given; not owned */
	struct blob text;
	struct blob settings;	/* struct conf_setting[], in the file's order */
	bool has_rules;
	int error;		/* why there is no text: -errno, 0 when there is one */
};

/*
 * Reads the text of @path. A file that is missing, unreadable, none (a FIFO, a
 * directory) or too long is an empty one with .error set; a device, as /dev/null,
 * is an empty one. 0, or -ENOMEM: then there is nothing to free.
 */
int conf_file_read(const char *path, struct conf_file *ret_file);

/*
 * Lists the settings that concern @program; once for each file, as it cuts the
 * text up. 0 or -ENOMEM.
 */
int conf_file_select(struct conf_file *file, const struct conf_program *program);

void conf_file_free(struct conf_file *file);

#endif
