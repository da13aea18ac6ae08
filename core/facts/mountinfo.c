/* SPDX-License-Identifier: MIT */
/*
 * mountinfo.c - one mount a line:
 *
 *   36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda rw,errors=continue
 *
 * with any number of optional fields before the lone dash. Blanks inside a
 * field are escaped, but the source may be empty: fields are parted by exactly
 * one blank.
 */
#include "core/facts/mountinfo.h"

#include <errno.h>
#include <string.h>

static bool parse_line(struct span line, struct mountinfo *ret_mount)
{
	struct mountinfo m;
	struct span field;

	for (int i = 0; i < 2; i++)	/* mount, parent */
		if (!span_next_field(&line, ' ', &field))
			return false;
	if (!span_next_field(&line, ' ', &m.device))
		return false;
	if (!span_next_field(&line, ' ', &m.root) || !span_next_field(&line, ' ', &m.point) ||
	    !span_next_field(&line, ' ', &m.options))
		return false;
	do
		if (!span_next_field(&line, ' ', &field))
			return false;
	while (!span_equal(field, "-"));
	if (!span_next_field(&line, ' ', &m.fstype) || !span_next_field(&line, ' ', &field) ||
	    !line.at)
		return false;
	m.super = line;
	if (!span_starts(m.root, "/") || !span_starts(m.point, "/"))
		return false;
	*ret_mount = m;
	return true;
}

bool mountinfo_whole(struct span content)
{
	return content.bytes > 0 && content.at[content.bytes - 1] == '\n';
}

bool mountinfo_next(struct span *rest, struct mountinfo *ret_mount)
{
	struct span line;

	while (span_next_line(rest, &line))
		if (rest->at && parse_line(line, ret_mount))
			return true;
	return false;
}

bool mountinfo_hidden(const struct mountinfo *m, struct span later)
{
	struct mountinfo other;

	while (mountinfo_next(&later, &other))
		if (other.point.bytes == m->point.bytes &&
		    memcmp(other.point.at, m->point.at, m->point.bytes) == 0)
			return true;
	return false;
}

int mountinfo_option(struct span options, const char *name, struct span *ret_value)
{
	const size_t name_bytes = strlen(name);
	struct span option;

	while (span_next_field(&options, ',', &option)) {
		if (!span_starts(option, name))
			continue;
		if (option.bytes == name_bytes) {
			*ret_value = (struct span){ option.at + name_bytes, 0 };
			return 0;
		}
		if (option.at[name_bytes] == '=') {
			*ret_value = (struct span){ option.at + name_bytes + 1,
						    option.bytes - name_bytes - 1 };
			return 0;
		}
	}
	return -ENOENT;
}
