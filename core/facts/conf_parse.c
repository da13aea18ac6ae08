/* SPDX-License-Identifier: MIT */
/*
 * conf_parse.c - every environment variable, in one table
 *
 * The table holds its texts, not pointers to them, so that it costs no
 * relocation in each program that starts under us.
 */
#include "core/facts/conf.h"

#include <stddef.h>
#include <string.h>

#include "core/base/align.h"
#include "core/base/mem.h"

#define PREFIX "HUGETLB_"
#define PREFIX_BYTES (sizeof(PREFIX) - 1)

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

#define AT(field) .to = offsetof(struct conf, field)

static const struct variable variables[] = {
	{ "DEFAULT_PAGE_SIZE", KIND_PAGE, AT(page_bytes), .used_instead = "the kernel's own" },
	{ "PATH", KIND_TEXT, AT(paths) },
	{ "MMAP", KIND_USE, AT(mmap), .used_instead = "yes" },
	{ "SHM", KIND_USE, AT(shm), .used_instead = "yes" },
	{ "MORECORE", KIND_HEAP, AT(morecore), .used_instead = "yes" },
	{ "ELFMAP", KIND_ELFMAP, AT(elf), .used_instead = "no" },
	{ "FORCE_ELFMAP", KIND_SWITCH, AT(elf.force), .used_instead = "no" },
	{ "ELFLIBS", KIND_TEXT, AT(elf.libraries) },
	{ "MMAP_MIN", KIND_BYTES, AT(mmap_min), .used_instead = "one huge page" },
	{ "MALLOC_START", KIND_BYTES, AT(malloc_start), .used_instead = "4 MiB" },
	{ "LIMIT", KIND_BYTES, AT(limit), .used_instead = "no limit" },
	{ "KEEP_FREE", KIND_COUNT, AT(keep_free), .used_instead = "0" },
	{ "EAGER_MAX", KIND_BYTES, AT(eager_max), .used_instead = "4 GiB" },
	{ "FALLBACK", KIND_CHOICE, AT(fallback), .words = "thp small fail",
	  .used_instead = "thp" },
	{ "EXPLICIT", KIND_CHOICE, AT(explicit_requests), .words = "fail small",
	  .used_instead = "fail" },
	{ "FORK", KIND_CHOICE, AT(fork), .words = "auto share copy refuse",
	  .used_instead = "auto" },
	{ "PROMOTE", KIND_SWITCH, AT(promote), .used_instead = "yes" },
	{ .name = "RESTRICT_EXE", .kind = KIND_NONE },
	{ "NO_RESERVE", KIND_SWITCH, .idle = true, AT(no_reserve), .used_instead = "no" },
	{ "NO_PREFAULT", KIND_SWITCH, .idle = true, AT(no_prefault), .used_instead = "no" },
	{ "SHARE", KIND_SWITCH, AT(share), .used_instead = "no" },
	{ "SHARE_PATH", KIND_TEXT, .idle = true, AT(share_path) },
	{ "MINIMAL_COPY", KIND_SWITCH, AT(minimal_copy), .used_instead = "yes" },
	{ "MORECORE_SHRINK", KIND_SWITCH, AT(shrink), .used_instead = "no" },
	{ "MORECORE_HEAPBASE", KIND_NONE, .idle = true },
	{ "FEATURES", KIND_NONE, .idle = true },
	{ .name = "LDSCRIPT_PATH", .kind = KIND_NONE },		/* of the linker wrapper, */
	{ .name = "DEPRECATED_LINK", .kind = KIND_NONE },	/* which need not hear of us */
	{ "VERBOSE", KIND_LEVEL, AT(verbose), .used_instead = "1" },
	{ "DEBUG", KIND_SWITCH, AT(debug), .used_instead = "no" },
	{ "STATS", KIND_TEXT, AT(stats) },
};

#define VARIABLES (sizeof(variables) / sizeof(variables[0]))

_Static_assert(VARIABLES <= 64, "the set of names seen is one word");
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
	struct conf_elf elf = { .given = true, .force = to->force, .libraries = to->libraries };
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

static const char *parse_value(const struct variable *v, const char *value, struct conf *c)
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

/* Splits "HUGETLB_NAME=value"; false for any other entry, and for empty values. */
static bool split(const char *entry, struct span *ret_name, const char **ret_value)
{
	const char *equals;

	if (strncmp(entry, PREFIX, PREFIX_BYTES) != 0)
		return false;
	equals = strchr(entry, '=');
	if (!equals || equals[1] == '\0')
		return false;
	*ret_name = (struct span){ entry, (size_t)(equals - entry) };
	*ret_value = equals + 1;
	return true;
}

static const struct variable *find_variable(struct span name)
{
	const struct span own = { name.at + PREFIX_BYTES, name.bytes - PREFIX_BYTES };

	for (size_t i = 0; i < VARIABLES; i++)
		if (span_equal(own, variables[i].name))
			return &variables[i];
	return NULL;
}

/* The first that counts, or NULL. */
static const char *lookup(char *const *environment, const char *name)
{
	struct span found;
	const char *value;

	for (; *environment; environment++)
		if (split(*environment, &found, &value) && span_equal(found, name))
			return value;
	return NULL;
}

static bool restricted(const char *list, const char *exe)
{
	static const char deleted[] = " (deleted)";
	const size_t tail = sizeof(deleted) - 1;
	struct span name = span_of(exe);
	struct span part, base = { 0 };

	while (span_next_field(&name, '/', &part))
		base = part;
	if (base.bytes > tail && memcmp(base.at + base.bytes - tail, deleted, tail) == 0)
		base.bytes -= tail;
	return !text_listed(span_of(list), ':', base);
}

static void say_if(conf_say say, const struct conf *c, const struct conf_remark *remark)
{
	if (say && c->verbose >= remark->verbose)
		say(remark);
}

static void take(const struct variable *v, struct span name, const char *value, conf_say say,
		 struct conf *c)
{
	const char *wrong = parse_value(v, value, c);
	struct conf_remark remark = {
		.variable = name,
		.value = span_of(value),
		.what = wrong,
		.used_instead = wrong ? v->used_instead : "",
		.verbose = 1,
	};

	if (wrong) {
		say_if(say, c, &remark);
	} else if (v->idle) {
		remark.what = "has no effect here";
		remark.verbose = 2;
		say_if(say, c, &remark);
	}
}

static void take_unknown(struct span name, const char *value, conf_say say, const struct conf *c)
{
	const struct conf_remark remark = {
		.variable = name,
		.value = span_of(value),
		.what = "is no variable of libhresv",
		.used_instead = "",
		.verbose = 2,
	};

	say_if(say, c, &remark);
}

void conf_parse(char *const *environment, const char *exe, conf_say say, struct conf *ret_conf)
{
	static char *const empty[] = { NULL };
	struct conf c;
	uint64_t seen = 0;
	const char *value;
	struct span name;

	if (!environment)
		environment = empty;
	conf_defaults(&c);
	value = lookup(environment, PREFIX "VERBOSE");
	if (value)	/* it decides what is said of the others */
		parse_value(find_variable(span_of(PREFIX "VERBOSE")), value, &c);
	value = lookup(environment, PREFIX "RESTRICT_EXE");
	if (value) {
		c.filtered = restricted(value, exe);
		c.active = !c.filtered;
	}
	for (; *environment; environment++) {
		const struct variable *v;

		if (!split(*environment, &name, &value))
			continue;
		v = find_variable(name);
		if (!v) {
			take_unknown(name, value, say, &c);
		} else if (!(seen >> (v - variables) & 1)) {
			seen |= (uint64_t)1 << (v - variables);
			take(v, name, value, say, &c);
		}
	}
	*ret_conf = c;
}
