/* SPDX-License-Identifier: MIT */
/* conf_value.c - a value's text, by the kind of its variable; see conf_value.h */
#include "core/facts/conf_value.h"

#include <string.h>

#include "core/base/align.h"
#include "core/base/mem.h"

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "KIND_BYTES writes both");
_Static_assert(sizeof(enum conf_fork) == sizeof(unsigned), "KIND_CHOICE writes any enum");

/* Parsers: NULL and the value in @to, or what is wrong and @to untouched. */

static const char *parse_page(struct span value, size_t *to)
{
	size_t bytes;

	if (text_size(value, &bytes))
		return "is not a size";
	if (!is_power_of_two(bytes) || bytes <= mem_page_bytes())
		return "is not a huge page size";
	*to = bytes;
	return NULL;
}

static const char *parse_use(struct span value, bool heap, struct conf_use *to)
{
	struct conf_use use = { .on = true };
	const char *wrong;
	bool on;

	if (text_switch(value, &on) == 0) {
		use.on = on;
	} else if (heap && text_same(span_trim(value), "thp")) {
		use.thp = true;
	} else {
		wrong = parse_page(value, &use.page_bytes);
		if (wrong && heap)
			return "is neither yes, no, thp nor a huge page size";
		if (wrong)
			return "is neither yes, no nor a huge page size";
	}
	*to = use;
	return NULL;
}

/* One of the parts of R=2M:W=1G: letters, and perhaps a size. */
static bool parse_elf_part(struct span part, struct conf_elf *elf)
{
	struct span letters;
	size_t page_bytes = 0;

	if (!span_next_field(&part, '=', &letters) || letters.bytes == 0)
		return false;
	if (part.at && parse_page(part, &page_bytes))
		return false;
	for (size_t i = 0; i < letters.bytes; i++) {
		struct span letter = { letters.at + i, 1 };

		if (text_same(letter, "r")) {
			elf->read = true;
			elf->read_page_bytes = page_bytes;
		} else if (text_same(letter, "w")) {
			elf->write = true;
			elf->write_page_bytes = page_bytes;
		} else {
			return false;
		}
	}
	return true;
}

static const char *parse_elfmap(struct span value, struct conf_elf *to)
{
	struct conf_elf elf = { .given = true, .force = to->force, .perf_map = to->perf_map,
				.libraries = to->libraries };
	struct span part;
	bool on;

	value = span_trim(value);
	if (text_switch(value, &on) == 0) {
		elf.read = on;
		elf.write = on;
	} else {
		while (span_next_field(&value, ':', &part))
			if (!parse_elf_part(part, &elf))
				return "is not of the form R, W, RW, R=2M:W=1G or no";
	}
	*to = elf;
	return NULL;
}

static const char *parse_choice(struct span value, const char *words, unsigned *to)
{
	struct span rest = span_of(words), word;

	value = span_trim(value);
	for (unsigned i = 0; span_next_word(&rest, &word); i++) {
		char name[16];

		memcpy(name, word.at, word.bytes);
		name[word.bytes] = '\0';
		if (text_same(value, name)) {
			*to = i;
			return NULL;
		}
	}
	return "is none of its words";
}

const char *conf_value(const struct variable *v, const char *value, struct conf *c)
{
	const struct span text = span_of(value);
	void *to = (char *)c + v->to;
	uint64_t number;

	switch ((enum kind)v->kind) {
	case KIND_SWITCH:
		return text_switch(text, to) ? "is neither yes nor no" : NULL;
	case KIND_BYTES:
		return text_size(text, to) ? "is not a size" : NULL;
	case KIND_COUNT:
		return text_u64(text, to) ? "is not a number" : NULL;
	case KIND_LEVEL:
		if (text_u64(text, &number) || number > 99)
			return "is not a number from 0 to 99";
		*(unsigned *)to = (unsigned)number;
		return NULL;
	case KIND_PAGE:
		return parse_page(text, to);
	case KIND_USE:
		return parse_use(text, false, to);
	case KIND_HEAP:
		return parse_use(text, true, to);
	case KIND_ELFMAP:
		return parse_elfmap(text, to);
	case KIND_CHOICE:
		return parse_choice(text, v->words, to);
	case KIND_TEXT:
		*(const char **)to = value;
		return NULL;
	case KIND_NONE:
		break;
	}
	return NULL;
}
