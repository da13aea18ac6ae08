/* SPDX-License-Identifier: MIT */
/* meminfo.c - lines of "Name: value"; see meminfo.h */
#include "core/facts/meminfo.h"

#include <errno.h>
#include <string.h>

int meminfo_text(struct span content, const char *name, struct span *ret_value)
{
	const size_t name_bytes = strlen(name);
	struct span line;

	while (span_next_line(&content, &line)) {
		if (!content.at)
			break;
		if (!span_starts(line, name))
			continue;
		line.at += name_bytes;
		line.bytes -= name_bytes;
		*ret_value = span_trim(line);
		return 0;
	}
	return -ENOENT;
}

int meminfo_u64(struct span content, const char *name, uint64_t *ret_value)
{
	struct span rest, number, unit;
	uint64_t value;
	int err = meminfo_text(content, name, &rest);

	if (err)
		return err;
	if (!span_next_word(&rest, &number))
		return -EBADMSG;
	err = text_u64(number, &value);
	if (err)
		return err;
	if (span_next_word(&rest, &unit)) {
		if (!span_equal(unit, "kB"))
			return -EBADMSG;
		if (value > UINT64_MAX / 1024)
			return -ERANGE;
		value *= 1024;
	}
	*ret_value = value;
	return 0;
}
