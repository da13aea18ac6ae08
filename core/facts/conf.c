/* SPDX-License-Identifier: MIT */
/*
 * conf.c - the configuration of this process, sealed
 *
 * Owns the one pointer to it. Threads may race for the first read: each builds
 * its own, one wins, the others give theirs back. Strings are copied, as the
 * program may change its environment. A program without any HUGETLB_ variable
 * gets a constant and pays for no memory at all. Whoever has read the pointer may
 * use it for ever: a change of limits is made in place, or, of the constant, in
 * a copy that takes its place once.
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

int conf_seal(char *const *environment, bool secure, const struct conf **ret_conf)
{
	struct conf c;
	struct blob exe = { 0 };

	if (secure) {
		*ret_conf = &secure_process;
		return 0;
	}
	if (!environment || !mentions_us(environment)) {
		*ret_conf = own_defaults();
		return 0;
	}
	conf_parse(environment, NULL, NULL, &c);
	if (c.filtered) {	/* only now does it matter who we are */
		int err = blob_read_link("/proc/self/exe", &exe);

		if (err == -ENOMEM)
			return err;
		conf_parse(environment, exe.at, NULL, &c);
		blob_free(&exe);
	}
	return copy_sealed(&c, ret_conf);
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
	show(&l, remark->variable, NAME_SHOWN);
	line_text(&l, "=\"");
	show(&l, remark->value, VALUE_SHOWN);
	line_text(&l, "\" ");
	line_text(&l, remark->what);
	if (*remark->used_instead) {
		line_text(&l, "; using the default (");
		line_text(&l, remark->used_instead);
		line_text(&l, ")");
	}
	line_send(&l);
}

/* Only the winner speaks, so a process says each remark once. */
static const struct conf *publish(char *const *environment, const struct conf *mine)
{
	const struct conf *first = NULL;
	struct conf again;

	if (!__atomic_compare_exchange_n(&now.sealed, &first, mine, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		conf_unseal(mine);
		return first;
	}
	if (mine->active && mine != own_defaults())
		conf_parse(environment, NULL, say, &again);
	return mine;
}

static const struct conf *read_now(char *const *environment)
{
	const bool secure = getauxval(AT_SECURE) != 0;
	const struct conf *mine;

	if (!secure && !environment)
		return NULL;
	if (conf_seal(environment, secure, &mine))
		return NULL;
	return publish(environment, mine);
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
