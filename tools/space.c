/* SPDX-License-Identifier: MIT */
/* space.c - see space.h */
#include "tools/space.h"

#include <errno.h>
#include <stdlib.h>

#include "core/act/pagemap.h"
#include "tools/page.h"

/* A run of the process' page map. */
struct run {
	uint64_t lo, hi;
	uint32_t word;
};

struct runs {
	struct run *at;
	size_t n, room;
	int err;
};

const char *space_kind_name(enum backing_kind kind)
{
	static const char *const names[BACKING_N] = {
		[BACKING_HUGE_OURS] = "huge", [BACKING_HUGE_OWN] = "own huge",
		[BACKING_THP] = "transparent", [BACKING_SMALL] = "small",
		[BACKING_SPLIT] = "split", [BACKING_RESERVED] = "reserved",
		[BACKING_FILE] = "file", [BACKING_OTHER] = "other",
	};

	return kind < BACKING_N ? names[kind] : "unknown";
}

static void add_run(uint64_t lo, uint64_t hi, uint32_t word, void *arg)
{
	struct runs *all = arg;

	if (all->n == all->room && !all->err) {
		size_t room = all->room ? all->room * 2 : 64;
		struct run *more = reallocarray(all->at, room, sizeof(*more));

		if (more) {
			all->at = more;
			all->room = room;
		} else {
			all->err = -ENOMEM;
		}
	}
	if (!all->err)
		all->at[all->n++] = (struct run){ lo, hi, word };
}

/* The kind most bytes of [lo, hi) have in the page map, from run *@from on. */
static enum page_kind kind_in(const struct runs *all, size_t *from, uint64_t lo, uint64_t hi)
{
	uint64_t bytes[WORD_KIND_MASK + 1] = { 0 };
	unsigned most = PAGE_FOREIGN;

	while (*from < all->n && all->at[*from].hi <= lo)
		++*from;
	for (size_t i = *from; i < all->n && all->at[i].lo < hi; i++) {
		uint64_t a = all->at[i].lo > lo ? all->at[i].lo : lo;
		uint64_t b = all->at[i].hi < hi ? all->at[i].hi : hi;

		bytes[all->at[i].word & WORD_KIND_MASK] += b - a;
	}
	for (unsigned kind = 1; kind <= WORD_KIND_MASK; kind++)
		if (bytes[kind] > bytes[most])
			most = kind;
	return (enum page_kind)most;
}

/* The latest decision about what is mapped there now. */
static const struct stats_record *decision_at(const struct report *r, uint64_t lo, uint64_t hi)
{
	const struct stats_record *latest = NULL;

	for (size_t i = 0; !r->page_err && i < STATS_RECORDS; i++) {
		const struct stats_record *d = &r->page.record[i];

		if (d->number && d->at && d->at < hi && lo < d->at + d->asked &&
		    (!latest || d->number > latest->number))
			latest = d;
	}
	return latest;
}

static bool is_accessible(const struct vma *v)
{
	return v->readable || v->writable || v->executable;
}

static bool is_file(const struct vma *v)
{
	return v->name.bytes && v->name.at[0] == '/' && !span_starts(v->name, "/dev/zero") &&
	       !span_starts(v->name, "/SYSV") && !span_starts(v->name, "/memfd:") &&
	       !span_starts(v->name, "/anon_hugepage");
}

static enum backing_kind classify(const struct vma *v, enum page_kind kind)
{
	/* The allocator's address space for later has the page size already. */
	if (!is_accessible(v) && !vma_huge(v) && kind == PAGE_FOREIGN)
		return is_file(v) ? BACKING_FILE : BACKING_RESERVED;
	if (v->hugetlb || vma_huge(v) || span_starts(v->name, "/anon_hugepage"))
		return kind == PAGE_PRIVATE || kind == PAGE_SHARED || kind == PAGE_SEGMENT ?
			       BACKING_HUGE_OURS : BACKING_HUGE_OWN;
	if (v->thp && v->thp >= v->rss / 2)
		return BACKING_THP;
	if (kind == PAGE_SMALL)
		return BACKING_SMALL;
	if (kind == PAGE_SPLIT)
		return BACKING_SPLIT;
	if (!is_accessible(v))
		return BACKING_RESERVED;
	return is_file(v) ? BACKING_FILE : BACKING_OTHER;
}

/* A segment has no address when it is made: what most of them lacked. */
static const char *why_of_segments(const struct report *r)
{
	const uint64_t *small = r->page.counters.use[USE_SHM].small;
	int most = REASON_NONE;

	for (int why = 1; why < REASON_N; why++)
		if (small[why] > small[most])
			most = why;
	return most == REASON_NONE ? "segment" : reason_name((enum reason)most);
}

/* For what libhresv knows nothing of, what can be seen from outside. */
static const char *why_of_nature(const struct report *r, const struct vma *v)
{
	if (!is_accessible(v))
		return "no access";
	if (span_starts(v->name, "/SYSV"))
		return why_of_segments(r);
	if (is_file(v))
		return "file";
	if (span_equal(v->name, "[heap]"))
		return "brk";
	if (v->name.bytes && v->name.at[0] == '[')
		return span_starts(v->name, "[stack") ? "stack" : "kernel's";
	if (v->hi - v->lo < GRANULE)
		return reason_name(REASON_TOO_SMALL);
	if (!v->writable)
		return reason_name(REASON_NOT_WRITABLE);
	if (r->page_err)
		return r->page_err == -ENXIO ? "no libhresv" : "";
	return "small parts";
}

static const char *reason_of(const struct report *r, const struct space_part *p)
{
	const struct stats_record *d;

	if (p->kind == BACKING_HUGE_OURS || p->kind == BACKING_HUGE_OWN)
		return "";
	d = p->kind == BACKING_FILE || p->kind == BACKING_RESERVED ? NULL :
		    decision_at(r, p->vma.lo, p->vma.hi);
	if (d && d->why != REASON_NONE)
		return reason_name((enum reason)d->why);
	/* It was huge, or too long ago to be among the last decisions. */
	if (p->kind == BACKING_SPLIT || p->kind == BACKING_SMALL)
		return d ? "was huge" : "earlier";
	return why_of_nature(r, &p->vma);
}

static int add_part(struct space *s, const struct space_part *p)
{
	/* Room doubles whenever the number is a power of two. */
	if ((s->n & (s->n - 1)) == 0) {
		struct space_part *more = reallocarray(s->parts, s->n ? s->n * 2 : 1, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->parts = more;
	}
	s->parts[s->n++] = *p;
	return 0;
}

int space_read(const struct report *of, struct space *ret_space)
{
	struct space s = { 0 };
	struct runs all = { 0 };
	struct space_part p;
	struct span rest;
	size_t from = 0;
	int err = proc_read(of->pid, "smaps", &s.smaps);

	if (!err && !of->page_err && of->page.pid)
		page_walk_map(of->pid, &of->page, add_run, &all);
	if (!err)
		err = all.err;
	rest = (struct span){ s.smaps.at, s.smaps.bytes };
	while (!err && smaps_next(&rest, &p.vma)) {
		p.kind = classify(&p.vma, kind_in(&all, &from, p.vma.lo, p.vma.hi));
		p.why = reason_of(of, &p);
		err = add_part(&s, &p);
	}
	free(all.at);
	if (err) {
		space_free(&s);
		return err;
	}
	*ret_space = s;
	return 0;
}

void space_free(struct space *s)
{
	blob_free(&s->smaps);
	free(s->parts);
	*s = (struct space){ 0 };
}
