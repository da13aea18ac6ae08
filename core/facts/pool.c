/* SPDX-License-Identifier: MIT */
/*
 * pool.c - the counters of one huge page pool
 *
 * Pitfalls.
 * 1. resv_hugepages can underflow to almost 2^64 (KERNEL.md 2.3 C): numbers are
 *    read as unsigned and judged, never subtracted unlooked-at.
 * 2. The counters move while they are read. A contradiction counts only when it
 *    is still there at a second look.
 */
#include "core/facts/pool.h"

#include <errno.h>
#include <fcntl.h>

#include "core/base/align.h"
#include "core/base/out.h"
#include "core/base/sys.h"
#include "core/facts/meminfo.h"
#include "core/facts/reader.h"

/* More pages than any machine has: 2^48 pages of 64 KiB are 16 EiB. */
#define PLAUSIBLE_MAX ((uint64_t)1 << 48)

struct counter {
	const char *name;
	uint64_t *to;
};

static bool contradicts(const struct pool *p)
{
	return p->total > PLAUSIBLE_MAX || p->surplus > p->total || p->free > p->total ||
	       p->reserved > p->total;
}

static int read_counters(struct reader *r, const struct counter *counters, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = reader_u64(r, counters[i].name, "_hugepages", counters[i].to);
	return err;
}

static int base_of_pool(struct reader *r, size_t page_bytes)
{
	int err = blob_text(&r->base, "/hugepages/hugepages-");

	if (!err)
		err = blob_u64(&r->base, page_bytes / KIB);
	return err ? err : blob_text(&r->base, "kB/");
}

static int read_sysfs(struct reader *r, size_t page_bytes, struct pool *p)
{
	const struct counter counters[] = {
		{ "nr", &p->total },
		{ "free", &p->free },
		{ "resv", &p->reserved },
		{ "surplus", &p->surplus },
		{ "nr_overcommit", &p->overcommit },
	};
	int err = reader_base(r, "/sys/kernel/mm");

	if (!err)
		err = base_of_pool(r, page_bytes);
	return err ? err : read_counters(r, counters, sizeof(counters) / sizeof(counters[0]));
}

/* The default pool only; @hidden is why /sys could not be had. */
static int read_proc(struct reader *r, size_t page_bytes, int hidden, struct pool *p)
{
	static const char *const names[] = { "HugePages_Total:", "HugePages_Free:",
					     "HugePages_Rsvd:", "HugePages_Surp:" };
	uint64_t *const to[] = { &p->total, &p->free, &p->reserved, &p->surplus };
	struct span meminfo;
	uint64_t default_bytes = 0;
	int err = reader_base(r, "/proc/");

	if (err)
		return err;
	err = reader_read(r, "meminfo", "", &meminfo);
	if (err)
		return err == -ENOMEM ? err : hidden;
	if (meminfo_u64(meminfo, "Hugepagesize:", &default_bytes) || default_bytes != page_bytes)
		return hidden;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		err = meminfo_u64(meminfo, names[i], to[i]);
		if (err)
			return err == -ENOENT ? hidden : err;
	}
	err = reader_u64(r, "sys/vm/nr_overcommit_hugepages", "", &p->overcommit);
	if (err)
		p->overcommit = 0;
	return err == -ENOMEM ? err : 0;
}

static int read_counts(struct reader *r, size_t page_bytes, struct pool *p)
{
	int err = read_sysfs(r, page_bytes, p);

	if (!err || err == -ENOMEM || err == -EBADMSG || err == -ERANGE)
		return err;
	*p = (struct pool){ 0 };
	return read_proc(r, page_bytes, err, p);
}

/* Unknown stays 0: then no surplus page is counted on. */
static int read_memory(struct reader *r, struct pool *p)
{
	struct span meminfo;
	uint64_t available, total;
	int err = reader_base(r, "/proc/meminfo");

	if (!err)
		err = reader_read(r, "", "", &meminfo);
	if (err)
		return err == -ENOMEM ? err : 0;
	if (meminfo_u64(meminfo, "MemAvailable:", &available) ||
	    meminfo_u64(meminfo, "MemTotal:", &total))
		return 0;
	p->mem_available = available;
	p->mem_total = total;
	return 0;
}

static int read_pool(struct reader *r, size_t page_bytes, struct pool *p)
{
	int err = read_counts(r, page_bytes, p);

	if (!err && contradicts(p)) {
		err = read_counts(r, page_bytes, p);
		p->impossible = contradicts(p);
	}
	if (!err && !p->impossible && p->overcommit > p->surplus)
		err = read_memory(r, p);
	return err;
}

int pool_read(const char *root, size_t page_bytes, struct pool *ret_pool)
{
	struct pool p = { 0 };
	struct reader r;
	int err;

	if (!is_power_of_two(page_bytes) || page_bytes < KIB)
		return -EINVAL;
	err = reader_open(&r, root);
	if (!err)
		err = read_pool(&r, page_bytes, &p);
	reader_close(&r);
	if (!err)
		*ret_pool = p;
	return err;
}

static int read_node(struct reader *r, unsigned node, size_t page_bytes, struct pool *p)
{
	const struct counter counters[] = {
		{ "nr", &p->total },
		{ "free", &p->free },
		{ "surplus", &p->surplus },
	};
	const size_t n = sizeof(counters) / sizeof(counters[0]);
	int err = reader_base(r, "/sys/devices/system/node/node");

	if (!err)
		err = blob_u64(&r->base, node);
	if (!err)
		err = base_of_pool(r, page_bytes);
	if (!err)
		err = read_counters(r, counters, n);
	if (!err && contradicts(p)) {
		err = read_counters(r, counters, n);
		p->impossible = contradicts(p);
	}
	return err;
}

int pool_read_node(const char *root, unsigned node, size_t page_bytes, struct pool *ret_pool)
{
	struct pool p = { 0 };
	struct reader r;
	int err;

	if (!is_power_of_two(page_bytes) || page_bytes < KIB)
		return -EINVAL;
	err = reader_open(&r, root);
	if (!err)
		err = read_node(&r, node, page_bytes, &p);
	reader_close(&r);
	if (!err)
		*ret_pool = p;
	return err;
}

static uint64_t surplus_room(const struct pool *p, size_t page_bytes)
{
	const uint64_t kept = p->mem_total / 16;
	uint64_t allowed, made;

	if (p->overcommit <= p->surplus || p->mem_available <= kept)
		return 0;
	allowed = p->overcommit - p->surplus;
	made = (p->mem_available - kept) / page_bytes;
	return allowed < made ? allowed : made;
}

uint64_t pool_available(const struct pool *p, size_t page_bytes)
{
	if (p->impossible)
		return p->total <= PLAUSIBLE_MAX && p->free <= p->total ? p->free : 0;
	return (p->free > p->reserved ? p->free - p->reserved : 0) +
	       surplus_room(p, page_bytes);
}

bool pool_is_empty(size_t page_bytes)
{
	struct line path;
	char text[4] = "";
	long fd, got;

	line_start(&path);
	line_text(&path, "/sys/kernel/mm/hugepages/hugepages-");
	line_u64(&path, page_bytes >> 10);
	line_text(&path, "kB/free_hugepages");
	path.text[path.bytes] = '\0';
	fd = sys_openat(AT_FDCWD, path.text, O_RDONLY, 0);
	if (fd < 0)
		return false;
	got = sys_read((int)fd, text, sizeof(text));
	sys_close((int)fd);
	return got == 2 && text[0] == '0' && text[1] == '\n';
}
