/* SPDX-License-Identifier: MIT */
/*
 * stats_json.c - HUGETLB_STATS: the page as JSON, in a file that is whole or not there
 *
 * The counters are read one after another while other threads may still count.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/act/stats.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The first failure is kept; what comes after it adds nothing. */
struct text {
	struct blob b;
	int err;
	bool more;		/* something stands before it in its object or list */
};

static void put(struct text *t, const char *s)
{
	if (!t->err)
		t->err = blob_text(&t->b, s);
}

static void key(struct text *t, const char *name)
{
	put(t, t->more ? ", " : "");
	t->more = true;
	if (!name)
		return;
	put(t, "\"");
	put(t, name);
	put(t, "\": ");
}

static void number(struct text *t, const char *name, uint64_t value)
{
	key(t, name);
	if (!t->err)
		t->err = blob_u64(&t->b, value);
}

/* Words of ours only: nothing in them needs an escape. */
static void word(struct text *t, const char *name, const char *value)
{
	key(t, name);
	put(t, "\"");
	put(t, value);
	put(t, "\"");
}

static void begin(struct text *t, const char *name, const char *bracket)
{
	key(t, name);
	put(t, bracket);
	t->more = false;
}

static void end(struct text *t, const char *bracket)
{
	put(t, bracket);
	t->more = true;
}

static void reasons(struct text *t, const char *name, const uint64_t *small)
{
	begin(t, name, "{");
	for (int why = 1; why < REASON_N; why++)
		if (load(&small[why]))
			number(t, reason_name(why), load(&small[why]));
	end(t, "}");
}

static void uses(struct text *t, const struct stats *s)
{
	begin(t, "uses", "{");
	for (int use = 0; use < USE_N; use++) {
		const struct stats_use *u = &s->use[use];

		begin(t, use_name(use), "\n  {");
		number(t, "requests", load(&u->requests));
		number(t, "asked", load(&u->asked));
		number(t, "huge", load(&u->huge));
		reasons(t, "small", u->small);
		end(t, "}");
	}
	end(t, "}");
	begin(t, "own_huge", "\n  {");
	number(t, "requests", load(&s->guarded_requests));
	number(t, "refused", load(&s->guarded_refused));
	number(t, "huge", load(&s->guarded_bytes));
	number(t, "largest_refused", load(&s->guarded_largest));
	reasons(t, "small", s->guarded_why);
	end(t, "}");
}

static void sizes(struct text *t, const struct stats *s)
{
	begin(t, "sizes", "[");
	for (size_t i = 0; i < PAGESIZE_MAX && load(&s->size[i].page_bytes); i++) {
		const struct stats_size *z = &s->size[i];

		begin(t, NULL, "\n  {");
		number(t, "page_bytes", load(&z->page_bytes));
		number(t, "requests", load(&z->requests));
		number(t, "asked", load(&z->asked));
		number(t, "huge", load(&z->huge));
		reasons(t, "small", z->small);
		number(t, "pool_looks", load(&z->pool_looks));
		number(t, "pool_total", load(&z->pool_total));
		number(t, "pool_free", load(&z->pool_free));
		number(t, "pool_reserved", load(&z->pool_reserved));
		number(t, "pool_surplus", load(&z->pool_surplus));
		end(t, "}");
	}
	end(t, "]");
}

static void record(struct text *t, const struct stats_record *r)
{
	begin(t, NULL, "\n  {");
	number(t, "number", load(&r->number));
	word(t, "call", r->call);
	word(t, "use", use_name((enum use)r->use));
	number(t, "own", r->own);
	number(t, "at", load(&r->at));
	number(t, "asked", load(&r->asked));
	number(t, "huge", load(&r->huge));
	number(t, "page_bytes", load(&r->page_bytes));
	word(t, "why", reason_name((enum reason)r->why));
	number(t, "pool_free", load(&r->pool_free));
	number(t, "pool_total", load(&r->pool_total));
	end(t, "}");
}

static void records(struct text *t, const struct stats_page *p)
{
	const uint64_t decided = load(&p->decided);

	number(t, "decided", decided);
	number(t, "lost", load(&p->lost));
	begin(t, "decisions", "[");
	for (uint64_t n = decided > STATS_RECORDS ? decided - STATS_RECORDS : 0; n < decided; n++) {
		const struct stats_record *r = &p->record[n % STATS_RECORDS];

		if (load(&r->number) == n + 1)
			record(t, r);
	}
	end(t, "]");
}

static void compose(struct text *t, size_t page_bytes)
{
	const struct stats_page *p = stats_page();
	const struct stats *s = &p->counters;
	bool at_most;
	uint64_t wanted = stats_wanted_pages(page_bytes, &at_most);

	put(t, "{");
	word(t, "format", "hresv-stats");
	number(t, "version", STATS_VERSION);
	number(t, "pid", (uint64_t)sys_getpid());
	number(t, "page_bytes", page_bytes);
	uses(t, s);
	sizes(t, s);
	number(t, "huge_now", load(&s->huge_now));
	number(t, "huge_peak", load(&s->huge_peak));
	number(t, "wanted_peak", load(&s->wanted_peak));
	number(t, "wanted_pages", wanted);
	number(t, "wanted_at_most", at_most);
	number(t, "demoted", load(&s->demoted));
	number(t, "promoted", load(&s->promoted));
	number(t, "rescued", load(&s->rescued));
	number(t, "fork_copies", load(&s->copied));
	records(t, p);
	put(t, "}\n");
}

/* @path with %p as our pid. */
static int expand(const char *path, struct blob *ret)
{
	int err = blob_text(ret, "");

	for (; *path && !err; path++) {
		if (*path == '%' && path[1] == 'p')
			err = blob_u64(ret, (uint64_t)sys_getpid());
		else
			err = blob_add(ret, path, 1);
		path += *path == '%' && (path[1] == 'p' || path[1] == '%');
	}
	return err;
}

static int write_all(int fd, const struct blob *b)
{
	size_t done = 0;

	while (done < b->bytes) {
		long n = sys_write(fd, b->at + done, b->bytes - done);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static long create(const char *path)
{
	return sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

/* Beside it, then over it: a reader finds the old file or the new one, whole. */
static int replace(const char *path, const struct blob *content)
{
	struct blob aside = { 0 };
	int err = blob_text(&aside, path);
	long fd;

	if (!err)
		err = blob_text(&aside, ".");
	if (!err)
		err = blob_u64(&aside, (uint64_t)sys_getpid());
	if (!err)
		err = blob_text(&aside, ".new");
	fd = err ? err : create(aside.at);
	if (fd == -EEXIST && sys_unlinkat(AT_FDCWD, aside.at, 0) == 0)
		fd = create(aside.at);	/* left by a process of our pid that was killed */
	if (fd >= 0) {
		err = write_all((int)fd, content);
		sys_close((int)fd);
		if (!err)
			err = (int)sys_call(SYS_renameat2, AT_FDCWD, (long)aside.at, AT_FDCWD,
					    (long)path, 0, 0);
		if (err)
			sys_unlinkat(AT_FDCWD, aside.at, 0);
	}
	blob_free(&aside);
	return fd < 0 ? (int)fd : err;
}

/* Something that is there: a device or pipe is written to, a file replaced. */
static int deliver(const char *path, const struct blob *content)
{
	long fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
	struct stat st;
	int err;

	if (fd == -ENOENT)
		return replace(path, content);
	if (fd < 0)
		return (int)fd;
	err = (int)sys_fstat((int)fd, &st);
	if (!err && !S_ISREG(st.st_mode))
		err = write_all((int)fd, content);
	sys_close((int)fd);
	return err || !S_ISREG(st.st_mode) ? err : replace(path, content);
}

int stats_write(const char *path, size_t page_bytes)
{
	struct text t = { 0 };
	struct blob where = { 0 };
	int err = expand(path, &where);

	if (!err) {
		compose(&t, page_bytes);
		err = t.err ? t.err : deliver(where.at, &t.b);
	}
	blob_free(&t.b);
	blob_free(&where);
	return err;
}
