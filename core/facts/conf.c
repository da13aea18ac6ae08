/* SPDX-License-Identifier: MIT */
/*
 * conf.c - the configuration of this process, sealed
 *
 * Owns the one pointer to it. Threads may race for the first read: each builds
 * its own, one wins, the others give theirs back. Strings are copied, as the
 * program may change its environment. A program without any HUGETLB_ variable,
 * where no file says anything, gets a constant and pays for no memory at all.
 * Whoever has read the pointer may use it for ever: a change of limits is made in
 * place, or, of the constant, in a copy that takes its place once.
 */
#include "core/facts/conf.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/out.h"
#include "core/base/sys.h"
#include "core/facts/buildid.h"
#include "core/facts/conf_file.h"

#ifndef HRESV_CONF
#define HRESV_CONF "/etc/hresv.conf"
#endif

/* As much as a line shows of a name and of a value. */
#define NAME_SHOWN 60
#define VALUE_SHOWN 120

extern char **environ;

static const struct conf defaults = {
	.active = true,
	.mmap = { .on = true },
	.shm = { .on = true },
	.morecore = { .on = true },
	.malloc_start = 4 * MIB,
	.limit = UINT64_MAX,
	.eager_max = 4 * GIB,
	.promote = true,
	.minimal_copy = true,
	.verbose = 1,
};

/* Everything off, so that even code that forgets to ask .active does nothing. */
static const struct conf secure_process = { .secure = true };

static struct {
	const struct conf *sealed;
} now;

struct sealed {
	struct conf conf;
	size_t bytes;
	char strings[];
};

static const struct conf *own_defaults(void)
{
	return &conf_other_defaults ? &conf_other_defaults : &defaults;
}

void conf_defaults(struct conf *ret_conf)
{
	*ret_conf = *own_defaults();
}

static bool mentions_us(char *const *environment)
{
	for (; *environment; environment++)
		if (strncmp(*environment, "HUGETLB_", 8) == 0)
			return true;
	return false;
}

#define STRINGS 4

static void list_strings(struct conf *c, const char **ret_strings[STRINGS])
{
	ret_strings[0] = &c->paths;
	ret_strings[1] = &c->elf.libraries;
	ret_strings[2] = &c->share_path;
	ret_strings[3] = &c->stats;
}

/* A read-only copy. Unsealed when the kernel refuses: it is right all the same. */
static int copy_sealed(struct conf *c, const struct conf **ret_conf)
{
	const char **strings[STRINGS];
	size_t bytes = sizeof(struct sealed);
	struct sealed *s;

	list_strings(c, strings);
	for (size_t i = 0; i < STRINGS; i++)
		if (*strings[i])
			bytes += strlen(*strings[i]) + 1;
	s = mem_pages(bytes);
	if (!s)
		return -ENOMEM;

	char *to = s->strings, *const end = (char *)s + bytes;

	for (size_t i = 0; i < STRINGS; i++) {
		if (!*strings[i])
			continue;

		/* Its length may have changed under us: never past the end. */
		size_t text_bytes = strnlen(*strings[i], (size_t)(end - to));

		if (to + text_bytes == end) {
			*strings[i] = NULL;
			continue;
		}
		memcpy(to, *strings[i], text_bytes);
		*strings[i] = to;
		to += text_bytes + 1;
	}
	s->conf = *c;
	s->bytes = bytes;
	sys_mprotect((uintptr_t)s, bytes, PROT_READ);
	*ret_conf = &s->conf;
	return 0;
}

static const char *named_file(char *const *environment)
{
	static const char name[] = "HUGETLB_CONF=";

	for (; environment && *environment; environment++)
		if (strncmp(*environment, name, sizeof(name) - 1) == 0 &&
		    (*environment)[sizeof(name) - 1])
			return *environment + sizeof(name) - 1;
	return NULL;
}

/* What was read for one conf: kept until the remarks have been said. */
struct source {
	char *const *environment;
	struct conf_file file;
	struct blob exe;
	bool named;		/* by HUGETLB_CONF */
};

static void source_close(struct source *s)
{
	if (s->file.path)
		conf_file_free(&s->file);
	blob_free(&s->exe);
}

static int know_exe(struct source *s)
{
	int err = s->exe.at ? 0 : blob_read_link("/proc/self/exe", &s->exe);

	return err == -ENOMEM ? err : 0;
}

/* Who we are is looked up only where that matters. */
static int source_open(char *const *environment, const char *path, struct source *s)
{
	struct conf_program program = { 0 };
	int err;

	*s = (struct source){ .environment = environment };
	s->named = named_file(environment) != NULL;
	if (s->named)
		path = named_file(environment);
	if (!path)
		return 0;
	err = conf_file_read(path, &s->file);
	if (!err && s->file.has_rules)
		err = know_exe(s);
	if (!err && s->file.has_rules)
		program = (struct conf_program){ s->exe.at, buildid_self() };
	if (!err)
		err = conf_file_select(&s->file, &program);
	if (err)
		source_close(s);
	return err;
}

static bool says_nothing(const struct source *s)
{
	return !s->file.settings.bytes && (!s->environment || !mentions_us(s->environment));
}

static int seal(struct source *s, const struct conf **ret_conf)
{
	struct conf c;

	if (says_nothing(s)) {
		*ret_conf = own_defaults();
		return 0;
	}
	conf_parse_with(s->environment, &s->file, s->exe.at, NULL, &c);
	if (c.filtered && !s->exe.at) {	/* only now does it matter who we are */
		int err = know_exe(s);

		if (err)
			return err;
		conf_parse_with(s->environment, &s->file, s->exe.at, NULL, &c);
	}
	return copy_sealed(&c, ret_conf);
}

int conf_seal(char *const *environment, const char *path, bool secure,
	      const struct conf **ret_conf)
{
	struct source s;
	int err;

	if (secure) {
		*ret_conf = &secure_process;
		return 0;
	}
	err = source_open(environment, path, &s);
	if (err)
		return err;
	err = seal(&s, ret_conf);
	source_close(&s);
	return err;
}

void conf_unseal(const struct conf *c)
{
	if (c && c != own_defaults() && c != &secure_process)
		mem_pages_free((void *)c, ((const struct sealed *)(const void *)c)->bytes);
}

/* Cut short, and without what would play tricks on a terminal. */
static void show(struct line *l, struct span s, size_t most)
{
	const bool cut = s.bytes > most;

	for (size_t i = 0; i < s.bytes && i < most; i++) {
		const unsigned char c = (unsigned char)s.at[i];

		line_span(l, c < ' ' || c == 0x7f ? span_of("?") : (struct span){ s.at + i, 1 });
	}
	if (cut)
		line_text(l, "...");
}

static void say(const struct conf_remark *remark)
{
	struct line l;

	line_start(&l);
	line_text(&l, "libhresv: ");
	if (remark->file) {
		show(&l, span_of(remark->file), NAME_SHOWN);
		line_text(&l, ":");
		line_u64(&l, remark->line);
		line_text(&l, ":");
		line_u64(&l, remark->column);
		line_text(&l, ": ");
	}
	show(&l, remark->variable, NAME_SHOWN);
	if (remark->value.bytes) {
		line_text(&l, "=\"");
		show(&l, remark->value, VALUE_SHOWN);
		line_text(&l, "\"");
	}
	line_text(&l, remark->variable.bytes ? " " : "");
	line_text(&l, remark->what);
	if (*remark->used_instead) {
		line_text(&l, "; using the default (");
		line_text(&l, remark->used_instead);
		line_text(&l, ")");
	}
	line_send(&l);
}

static const char *unread(int err)
{
	switch (err) {
	case -ENOENT:
	case -ENOTDIR:
		return "does not exist";
	case -EACCES:
	case -EPERM:
		return "may not be read";
	case -EINVAL:
		return "is not a file";
	case -EFBIG:
		return "is longer than 1 MiB";
	default:
		return "could not be read";
	}
}

/* The system's file need not be there, and its reader need not be allowed to. */
static void say_unread(const struct source *s, unsigned verbose)
{
	const int err = s->file.path ? s->file.error : 0;
	const bool usual = err == -ENOENT || err == -ENOTDIR || err == -EMFILE || err == -ENFILE;
	struct line l;

	if (!err || verbose < 1 || (!s->named && (usual || verbose < 2)))
		return;
	line_start(&l);
	line_text(&l, "libhresv: ");
	show(&l, span_of(s->file.path), VALUE_SHOWN);
	line_text(&l, " ");
	line_text(&l, unread(err));
	line_text(&l, "; going on without it");
	line_send(&l);
}

/* Only the winner speaks, so a process says each remark once. */
static const struct conf *publish(const struct source *s, const struct conf *mine)
{
	const struct conf *first = NULL;
	struct conf again;

	if (!__atomic_compare_exchange_n(&now.sealed, &first, mine, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		conf_unseal(mine);
		return first;
	}
	if (mine->active) {
		say_unread(s, mine->verbose);
		if (mine != own_defaults())
			conf_parse_with(s->environment, &s->file, s->exe.at, say, &again);
	}
	return mine;
}

static const struct conf *read_now(char *const *environment)
{
	const struct conf *mine = &secure_process;
	struct source s = { 0 };

	if (!getauxval(AT_SECURE)) {
		if (!environment || source_open(environment, HRESV_CONF, &s))
			return NULL;
		if (seal(&s, &mine)) {
			source_close(&s);
			return NULL;
		}
	}
	mine = publish(&s, mine);
	source_close(&s);
	return mine;
}

const char *conf_system_file(void)
{
	return HRESV_CONF;
}

const struct conf *conf_get(void)
{
	const struct conf *c = __atomic_load_n(&now.sealed, __ATOMIC_ACQUIRE);

	return __builtin_expect(c != NULL, 1) ? c : read_now(environ);
}

const struct conf *conf_start(char *const *environment)
{
	const struct conf *c = __atomic_load_n(&now.sealed, __ATOMIC_ACQUIRE);

	return c ? c : read_now(environment);
}

int conf_tune(uint64_t limit, uint64_t keep_free)
{
	const struct conf *c = conf_get();
	struct conf mine;
	struct sealed *s;
	int err;

	if (!c)
		return -ENOMEM;
	if (c == own_defaults() || c == &secure_process) {
		mine = *c;
		mine.limit = limit;
		mine.keep_free = keep_free;
		err = copy_sealed(&mine, &c);
		if (!err)
			__atomic_store_n(&now.sealed, c, __ATOMIC_RELEASE);
		return err;
	}
	s = (struct sealed *)(uintptr_t)c;
	err = (int)sys_mprotect((uintptr_t)s, s->bytes, PROT_READ | PROT_WRITE);
	if (err)
		return err;
	__atomic_store_n(&s->conf.limit, limit, __ATOMIC_RELAXED);
	__atomic_store_n(&s->conf.keep_free, keep_free, __ATOMIC_RELAXED);
	sys_mprotect((uintptr_t)s, s->bytes, PROT_READ);
	return 0;
}
