/* SPDX-License-Identifier: MIT */
/*
 * stats.c - the counters, the last decisions, and where a reader finds them
 *
 * Pitfall: the page is read by other processes while it is written, and its writer
 * may die in the middle. Counters stand for themselves; a record is whole when its
 * number is, which is written last.
 */
#include "core/act/stats.h"

#include <errno.h>

#include "core/act/fallback.h"
#include "core/act/pagemap.h"
#include "core/base/out.h"
#include "core/base/probe.h"
#include "core/base/sys.h"

/* Named for the assembler: the note below refers to it. */
static struct stats_page page __asm__("hresv_stats_page") __attribute__((used, aligned(64))) = {
	.magic = STATS_MAGIC,
	.version = STATS_VERSION,
	.bytes = sizeof(page),
	.uses = USE_N,
	.reasons = REASON_N,
	.sizes = PAGESIZE_MAX,
	.records = STATS_RECORDS,
	.granule_shift = GRANULE_SHIFT,
	.map_top_words = PAGEMAP_TOP_WORDS,
	.map_leaf_words = PAGEMAP_LEAF_WORDS,
};

/* Name (with its zero byte) and content are padded to four bytes each. */
__asm__(".pushsection .note.hresv, \"a\", %note\n"
	"	.balign 4\n"
	"	.long 6, 8, 1\n"
	"	.asciz \"" STATS_NOTE_NAME "\"\n"
	"	.balign 4\n"
	"	.quad hresv_stats_page - .\n"
	"	.popsection\n");
_Static_assert(sizeof(STATS_NOTE_NAME) == 6 && STATS_NOTE_TYPE == 1, "the note above says so");

static struct stats *const counters = &page.counters;

static void add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void raise_to(uint64_t *peak, uint64_t now)
{
	uint64_t old = load(peak);

	while (now > old && !__atomic_compare_exchange_n(peak, &old, now, true, __ATOMIC_RELAXED,
							 __ATOMIC_RELAXED))
		;
}

/* From the first count on there is something to read here. */
static void open_page(void)
{
	if (__atomic_load_n(&page.pid, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&page.map_top, (uint64_t)(uintptr_t)pagemap_top, __ATOMIC_RELAXED);
	__atomic_store_n(&page.pid, (uint32_t)sys_getpid(), __ATOMIC_RELEASE);
}

const struct stats_page *stats_page(void)
{
	return &page;
}

const struct stats *stats_get(void)
{
	return counters;
}

void stats_request(enum use use, size_t asked)
{
	open_page();
	add(&counters->use[use].requests, 1);
	add(&counters->use[use].asked, asked);
}

void stats_huge(enum use use, size_t bytes)
{
	add(&counters->use[use].huge, bytes);
}

void stats_small(enum use use, size_t bytes, enum reason why)
{
	add(&counters->use[use].small[why], bytes);
	if (reason_is_shortage(why))
		fallback_note();
}

void stats_guarded(size_t bytes, enum reason why)
{
	open_page();
	add(&counters->guarded_requests, 1);
	if (why == REASON_NONE) {
		add(&counters->guarded_bytes, bytes);
		return;
	}
	add(&counters->guarded_refused, 1);
	add(&counters->guarded_why[why], bytes);
	raise_to(&counters->guarded_largest, bytes);
	fallback_note();
}

void stats_hold(size_t bytes)
{
	raise_to(&counters->huge_peak,
		 __atomic_add_fetch(&counters->huge_now, bytes, __ATOMIC_RELAXED));
}

void stats_release(size_t bytes)
{
	__atomic_fetch_sub(&counters->huge_now, bytes, __ATOMIC_RELAXED);
}

uint64_t stats_held(void)
{
	return load(&counters->huge_now);
}

void stats_demoted(size_t pages)
{
	add(&counters->demoted, pages);
	fallback_note();
}

void stats_promoted(size_t pages)
{
	add(&counters->promoted, pages);
}

void stats_rescued(size_t pages)
{
	add(&counters->rescued, pages);
	fallback_note();
}

void stats_copied(size_t pages)
{
	add(&counters->copied, pages);
}

void stats_heap_small(size_t bytes)
{
	add(&counters->heap_small_now, bytes);
}

/* What is given back may be more than was noted: not all small memory is for want of pages. */
void stats_heap_no_more(size_t bytes)
{
	uint64_t old = load(&counters->heap_small_now), left;

	do
		left = old > bytes ? old - bytes : 0;
	while (!__atomic_compare_exchange_n(&counters->heap_small_now, &old, left, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* The slot of a page size: its own, or the first that is free. NULL: all are taken. */
static struct stats_size *slot_of(size_t page_bytes)
{
	for (size_t i = 0; page_bytes && i < PAGESIZE_MAX; i++) {
		struct stats_size *s = &counters->size[i];
		uint64_t old = load(&s->page_bytes);

		if (old == 0 && __atomic_compare_exchange_n(&s->page_bytes, &old, page_bytes, false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return s;
		if (old == page_bytes)
			return s;
	}
	return NULL;
}

void stats_pool(size_t page_bytes, const struct pool *pool)
{
	struct stats_size *s = slot_of(page_bytes);

	if (!s)
		return;
	__atomic_store_n(&s->pool_total, pool->total, __ATOMIC_RELAXED);
	__atomic_store_n(&s->pool_free, pool->free, __ATOMIC_RELAXED);
	__atomic_store_n(&s->pool_reserved, pool->reserved, __ATOMIC_RELAXED);
	__atomic_store_n(&s->pool_surplus, pool->surplus, __ATOMIC_RELAXED);
	add(&s->pool_looks, 1);
}

static void put(uint64_t *field, uint64_t value)
{
	__atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* A handler may interrupt a writer, and 64 others overtake it: then ours is left out. */
static void keep(const struct decision *d, const struct stats_size *s)
{
	const uint64_t number = __atomic_add_fetch(&page.decided, 1, __ATOMIC_RELAXED);
	struct stats_record *r = &page.record[(number - 1) % STATS_RECORDS];
	union { char text[sizeof(r->call)]; uint64_t words[2]; } name = { .words = { 0 } };
	uint64_t old = load(&r->number);

	if ((old & STATS_BUSY) ||
	    !__atomic_compare_exchange_n(&r->number, &old, number | STATS_BUSY, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		add(&page.lost, 1);
		return;
	}
	for (size_t i = 0; i + 1 < sizeof(name.text) && d->call[i]; i++)
		name.text[i] = d->call[i];
	__atomic_thread_fence(__ATOMIC_RELEASE);
	put(&r->at, d->at);
	put(&r->asked, d->asked);
	put(&r->huge, d->huge);
	put(&r->page_bytes, d->page_bytes);
	put(&r->pool_free, s ? load(&s->pool_free) : 0);
	put(&r->pool_total, s ? load(&s->pool_total) : 0);
	__atomic_store_n(&r->why, (uint32_t)d->why, __ATOMIC_RELAXED);
	__atomic_store_n(&r->use, (uint32_t)d->use, __ATOMIC_RELAXED);
	__atomic_store_n(&r->own, (uint32_t)d->own, __ATOMIC_RELAXED);
	put(&r->call_words[0], name.words[0]);
	put(&r->call_words[1], name.words[1]);
	__atomic_store_n(&r->number, number, __ATOMIC_RELEASE);
}

/* What pages for everything would be now. The program's own requests it may repeat. */
static uint64_t wanted_now(void)
{
	return load(&counters->huge_now) + pagemap_small_bytes() + load(&counters->heap_small_now) +
	       load(&counters->shared_small) + load(&counters->guarded_largest);
}

static void count(const struct decision *d, struct stats_size *s)
{
	if ((d->shared || d->use == USE_SHM) && !d->own && reason_is_shortage(d->why))
		add(&counters->shared_small, d->asked - d->huge);
	raise_to(&counters->wanted_peak, wanted_now());
	if (!s)
		return;
	add(&s->requests, 1);
	add(&s->asked, d->asked);
	add(&s->huge, d->huge);
	if (d->huge < d->asked)
		add(&s->small[d->why], d->asked - d->huge);
}

static void tell(const struct decision *d, const char *where)
{
	struct line l;

	line_start(&l);
	line_text(&l, "libhresv: ");
	line_text(&l, d->call);
	line_text(&l, " ");
	line_size(&l, d->asked);
	line_text(&l, ": ");
	line_size(&l, d->huge);
	line_text(&l, " huge");
	if (d->why != REASON_NONE) {
		line_text(&l, ", rest ");
		line_text(&l, reason_name(d->why));
	}
	if (where && *where) {
		line_text(&l, " (");
		line_text(&l, where);
		line_text(&l, ")");
	}
	line_send(&l);
}

static void decide(const struct decision *d, const char *where)
{
	struct stats_size *s = slot_of(d->page_bytes);

	open_page();
	if (d->own)
		stats_guarded(d->asked, d->why);
	count(d, s);
	keep(d, s);
	if (d->huge)
		PROBE4(place, d->at, d->asked, d->huge, d->page_bytes);
	if (d->huge < d->asked)
		PROBE4(fallback, d->at, d->asked - d->huge, d->page_bytes, reason_name(d->why));
	if (out_level() >= 3)
		tell(d, where);
}

void stats_decide(const struct decision *d)
{
	decide(d, NULL);
}

void stats_tell(const char *call, size_t asked, size_t huge, enum reason why, const char *where)
{
	const struct decision d = { .call = call, .asked = asked, .huge = huge, .why = why };

	decide(&d, where);
}

/* A page nobody has counted on yet is left alone: a child that execs copies nothing. */
void stats_renew(void)
{
	const uint64_t held = load(&counters->huge_now);

	if (!page.pid)
		return;
	*counters = (struct stats){ .huge_now = held, .huge_peak = held, .wanted_peak = held };
	for (size_t i = 0; i < STATS_RECORDS; i++)
		page.record[i].number = 0;
	page.decided = page.lost = 0;
	page.pid = 0;
}

uint64_t stats_wanted_pages(size_t page_bytes, bool *ret_at_most)
{
	uint64_t wanted = load(&counters->wanted_peak), now = wanted_now();

	*ret_at_most = false;
	for (int use = 0; use < USE_N; use++)
		*ret_at_most |= load(&counters->use[use].small[REASON_NOT_YET]) != 0;
	if (now > wanted)
		wanted = now;
	return page_bytes ? wanted / page_bytes + (wanted % page_bytes != 0) : 0;
}

static void write_file(const struct conf *conf, size_t page_bytes)
{
	int err = stats_write(conf->stats, page_bytes);
	struct line l;

	if (!err || !conf->verbose)
		return;
	line_start(&l);
	line_text(&l, "libhresv: HUGETLB_STATS=");
	line_text(&l, conf->stats);
	line_text(&l, err == -ELOOP ? " is a symbolic link: not written" :
				      " cannot be written: error ");
	if (err != -ELOOP)
		line_u64(&l, (uint64_t)-err);
	line_send(&l);
}

void stats_finish(const struct conf *conf, size_t page_bytes)
{
	if (conf->verbose >= 2)
		stats_print_table(page_bytes);
	/* Who asked for nothing leaves what others have said. */
	if (conf->stats && page.pid)
		write_file(conf, page_bytes);
}
