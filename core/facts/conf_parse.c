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
#include "core/facts/conf_file.h"
#include "core/facts/conf_value.h"

#define PREFIX "HUGETLB_"
#define PREFIX_BYTES (sizeof(PREFIX) - 1)

#define AT(field) .to = offsetof(struct conf, field)

static const struct variable variables[] = {
	{ "DEFAULT_PAGE_SIZE", KIND_PAGE, AT(page_bytes), .used_instead = "the kernel's own" },
	{ "PATH", KIND_TEXT, AT(paths) },
	{ "MMAP", KIND_USE, AT(mmap), .used_instead = "yes" },
	{ "SHM", KIND_USE, AT(shm), .used_instead = "yes" },
	{ "MORECORE", KIND_HEAP, AT(morecore), .used_instead = "yes" },
	{ "ELFMAP", KIND_ELFMAP, AT(elf), .used_instead = "no" },
	{ "FORCE_ELFMAP", KIND_SWITCH, AT(elf.force), .used_instead = "no" },
	{ "PERF_MAP", KIND_SWITCH, AT(elf.perf_map), .used_instead = "no" },
	{ "ELFLIBS", KIND_TEXT, AT(elf.libraries) },
	{ "MMAP_MIN", KIND_BYTES, AT(mmap_min), .used_instead = "one huge page" },
	{ "MALLOC_START", KIND_BYTES, AT(malloc_start), .used_instead = "4 MiB" },
	{ "LIMIT", KIND_BYTES, AT(limit), .used_instead = "no limit" },
	{ "KEEP_FREE", KIND_COUNT, AT(keep_free), .used_instead = "0" },
	{ "EAGER_MAX", KIND_BYTES, AT(eager_max), .used_instead = "4 GiB" },
	{ "FALLBACK", KIND_CHOICE, AT(fallback), .words = "thp small fail",
	  .used_instead = "thp" },
	{ "EXPLICIT", KIND_CHOICE, AT(explicit_requests), .words = "fail small kernel",
	  .used_instead = "fail" },
	{ "FORK", KIND_CHOICE, AT(fork), .words = "auto share copy refuse",
	  .used_instead = "auto" },
	{ "PROMOTE", KIND_SWITCH, AT(promote), .used_instead = "yes" },
	{ "ACTIVE", KIND_SWITCH, AT(active), .used_instead = "yes" },
	{ .name = "RESTRICT_EXE", .kind = KIND_NONE },
	{ .name = "CONF", .kind = KIND_NONE },		/* conf.c */
	{ "NO_RESERVE", KIND_SWITCH, .idle = true, AT(no_reserve), .used_instead = "no" },
	{ "NO_PREFAULT", KIND_SWITCH, .idle = true, AT(no_prefault), .used_instead = "no" },
	{ "SHARE", KIND_SWITCH, AT(share), .used_instead = "no" },
	{ "SHARE_PATH", KIND_TEXT, .idle = true, AT(share_path) },
	{ "MINIMAL_COPY", KIND_SWITCH, AT(minimal_copy), .used_instead = "yes" },
	{ "MORECORE_SHRINK", KIND_SWITCH, .idle = true, AT(shrink), .used_instead = "no" },
	{ "MORECORE_HEAPBASE", KIND_NONE, .idle = true },
	{ "FEATURES", KIND_NONE, .idle = true },
	{ .name = "LDSCRIPT_PATH", .kind = KIND_NONE },		/* of the linker wrapper, */
	{ .name = "DEPRECATED_LINK", .kind = KIND_NONE },	/* which need not hear of us */
	{ "VERBOSE", KIND_LEVEL, AT(verbose), .used_instead = "1" },
	{ "DEBUG", KIND_SWITCH, .idle = true, AT(debug), .used_instead = "no" },
	{ "STATS", KIND_TEXT, AT(stats) },
};

#define VARIABLES (sizeof(variables) / sizeof(variables[0]))

_Static_assert(VARIABLES <= 64, "the set of names seen is one word");

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

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Names as a file writes them: HUGETLB_KEEP_FREE, keep_free, keep-free. */
static bool is_written(struct span s, const char *name)
{
	size_t i;

	for (i = 0; i < s.bytes && name[i]; i++)
		if (lower(s.at[i] == '-' ? '_' : s.at[i]) != lower(name[i]))
			return false;
	return i == s.bytes && !name[i];
}

static const struct variable *find_written(struct span name)
{
	const struct span head = { name.at, PREFIX_BYTES };

	if (name.bytes > PREFIX_BYTES && is_written(head, PREFIX)) {
		name.at += PREFIX_BYTES;
		name.bytes -= PREFIX_BYTES;
	}
	for (size_t i = 0; i < VARIABLES; i++)
		if (is_written(name, variables[i].name))
			return &variables[i];
	return NULL;
}

static size_t count_settings(const struct conf_file *file)
{
	return file ? file->settings.bytes / sizeof(struct conf_setting) : 0;
}

static const struct conf_setting *setting_at(const struct conf_file *file, size_t i)
{
	return (const struct conf_setting *)(const void *)file->settings.at + i;
}

/* The one that counts, or NULL: the environment's first, else the file's last. */
static const char *lookup(char *const *environment, const struct conf_file *file, const char *name)
{
	const struct variable *v = find_variable(span_of(name));
	struct span found;
	const char *value;

	for (; *environment; environment++)
		if (split(*environment, &found, &value) && span_equal(found, name))
			return value;
	for (size_t i = count_settings(file); i-- > 0;)
		if (!setting_at(file, i)->wrong && find_written(setting_at(file, i)->name) == v)
			return setting_at(file, i)->value.at;
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

/* The value's effect on @c, and what there is to say of it: false when nothing. */
static bool take(const struct variable *v, struct conf *c, struct conf_remark *remark)
{
	const char *wrong = v ? conf_value(v, remark->value.at, c) : NULL;

	remark->used_instead = "";
	remark->verbose = 1;
	if (!v) {
		/* Other programs may have HUGETLB_ variables; in our file all are ours. */
		remark->what = "is no variable of libhresv";
		remark->verbose = remark->file ? 1 : 2;
	} else if (wrong) {
		remark->what = wrong;
		remark->used_instead = v->used_instead;
	} else if (v->idle) {
		remark->what = "has no effect here";
		remark->verbose = 2;
	}
	return !v || wrong || v->idle;
}

bool conf_check_setting(struct conf_remark *remark)
{
	struct conf scratch;

	conf_defaults(&scratch);
	return take(find_written(remark->variable), &scratch, remark);
}

bool conf_same_variable(struct span a, struct span b)
{
	return find_written(a) && find_written(a) == find_written(b);
}

const char *conf_variable(size_t n)
{
	return n < VARIABLES ? variables[n].name : NULL;
}

/* Each name once: the bit of one that was seen is set in @seen. */
static bool is_first(const struct variable *v, uint64_t *seen)
{
	const uint64_t bit = v ? (uint64_t)1 << (v - variables) : 0;
	const bool first = !(*seen & bit);

	*seen |= bit;
	return first;
}

static void take_environment(char *const *environment, conf_say say, uint64_t *seen,
			     struct conf *c)
{
	struct conf_remark remark = { 0 };
	const char *value;

	for (; *environment; environment++) {
		const struct variable *v;

		if (!split(*environment, &remark.variable, &value))
			continue;
		remark.value = span_of(value);
		v = find_variable(remark.variable);
		if (is_first(v, seen) && take(v, c, &remark))
			say_if(say, c, &remark);
	}
}

/* From the end, where the most binding stands. */
static void take_file(const struct conf_file *file, conf_say say, uint64_t *seen, struct conf *c)
{
	for (size_t i = count_settings(file); i-- > 0;) {
		const struct conf_setting *s = setting_at(file, i);
		const struct variable *v = find_written(s->name);
		struct conf_remark remark = { .variable = s->name, .value = s->value,
					      .file = file->path, .line = s->line,
					      .column = v && !s->wrong ? s->value_column : s->column,
					      .used_instead = "", .verbose = 1 };

		if (s->wrong) {
			remark.what = s->wrong;
			say_if(say, c, &remark);
		} else if (is_first(v, seen) && take(v, c, &remark)) {
			say_if(say, c, &remark);
		}
	}
}

void conf_parse_with(char *const *environment, const struct conf_file *file, const char *exe,
		     conf_say say, struct conf *ret_conf)
{
	static char *const empty[] = { NULL };
	struct conf c;
	uint64_t seen = 0;
	const char *value;

	if (!environment)
		environment = empty;
	conf_defaults(&c);
	value = lookup(environment, file, PREFIX "VERBOSE");
	if (value)	/* it decides what is said of the others */
		conf_value(find_variable(span_of(PREFIX "VERBOSE")), value, &c);
	value = lookup(environment, file, PREFIX "RESTRICT_EXE");
	c.filtered = value && restricted(value, exe);
	take_environment(environment, say, &seen, &c);
	take_file(file, say, &seen, &c);
	c.active = c.active && !c.filtered;
	*ret_conf = c;
}

void conf_parse(char *const *environment, const char *exe, conf_say say, struct conf *ret_conf)
{
	conf_parse_with(environment, NULL, exe, say, ret_conf);
}
