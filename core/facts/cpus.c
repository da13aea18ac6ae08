/* SPDX-License-Identifier: MIT */
/* cpus.c - lists of numbers in /proc and /sys; see cpus.h */
#include "core/facts/cpus.h"

#include <errno.h>
#include <limits.h>

#include "core/base/out.h"
#include "core/facts/cgroup_walk.h"
#include "core/facts/meminfo.h"
#include "core/facts/policy.h"
#include "core/facts/reader.h"

#define WORDS (CPUS_MOST / 64)

unsigned cpus_count(const struct cpu_set *set)
{
	unsigned n = 0;

	for (size_t i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountll(set->word[i]);
	return n;
}

bool cpus_has(const struct cpu_set *set, unsigned cpu)
{
	return cpu < CPUS_MOST && set->word[cpu / 64] >> (cpu % 64) & 1;
}

void cpus_keep_only(struct cpu_set *set, const struct cpu_set *others)
{
	for (size_t i = 0; i < WORDS; i++)
		set->word[i] &= others->word[i];
}

/* Per thread, as affinity and cpuset are. */
static int read_status(struct reader *r, struct cpus *c)
{
	struct span status = { 0 }, list = { 0 };
	uint64_t seccomp = 0;
	int err = reader_base(r, "/proc/thread-self/status");

	if (!err)
		err = reader_read(r, "", "", &status);
	if (!err)
		err = meminfo_u64(status, "Seccomp:", &seccomp);
	if (err == -ENOENT && span_starts(status, "Name:"))
		err = 0;		/* a kernel without it */
	if (!err)
		err = meminfo_text(status, "Cpus_allowed_list:", &list);
	if (!err)
		err = text_set(list, c->allowed.word, WORDS);
	if (!err)
		c->filtered = seccomp != 0;
	return err;
}

/* "0.20 0.18 0.12 3/412 11206": three of 412 tasks run. */
static int read_running(struct reader *r, unsigned *ret_running)
{
	struct span text, word, number;
	uint64_t running;
	int err = reader_base(r, "/proc/loadavg");

	if (!err)
		err = reader_read(r, "", "", &text);
	for (int i = 0; !err && i < 4; i++)
		if (!span_next_word(&text, &word))
			err = -EBADMSG;
	if (err)
		return err;
	span_next_field(&word, '/', &number);
	err = text_u64(number, &running);
	if (!err)
		*ret_running = running < UINT_MAX ? (unsigned)running : UINT_MAX;
	return err;
}

static int read_nodes(struct reader *r, unsigned *ret_nodes)
{
	uint64_t nodes[POLICY_NODES_MAX / 64];
	unsigned n = 0;
	struct span list = { 0 };
	int err = reader_base(r, "/sys/devices/system/node/online");

	if (!err)
		err = reader_read(r, "", "", &list);
	if (err)
		return err == -ENOMEM ? err : 0;
	err = text_set(list, nodes, POLICY_NODES_MAX / 64);
	for (size_t i = 0; !err && i < POLICY_NODES_MAX / 64; i++)
		n += (unsigned)__builtin_popcountll(nodes[i]);
	if (!err)
		*ret_nodes = n;
	return err;
}

int cpus_read(const char *root, struct cpus *ret_cpus)
{
	struct cpus c = { .nodes = 1 };
	struct reader r;
	int err = reader_open(&r, root);

	if (!err)
		err = read_status(&r, &c);
	if (!err && !c.filtered)
		err = read_running(&r, &c.running);
	if (!err && !c.filtered)
		err = read_nodes(&r, &c.nodes);
	reader_close(&r);
	if (!err)
		*ret_cpus = c;
	return err;
}

int cpus_of_node(const char *root, unsigned node, struct cpu_set *ret_set)
{
	struct cpu_set set = { { 0 } };
	struct line name;
	struct reader r;
	struct span list = { 0 };
	int err = reader_open(&r, root);

	line_start(&name);
	line_text(&name, "/sys/devices/system/node/node");
	line_u64(&name, node);
	line_text(&name, "/cpulist");
	name.text[name.bytes] = '\0';
	if (!err)
		err = reader_base(&r, name.text);
	if (!err)
		err = reader_read(&r, "", "", &list);
	/* A node of memory alone has an empty list. */
	if (!err && span_trim(list).bytes)
		err = text_set(list, set.word, WORDS);
	reader_close(&r);
	if (!err)
		*ret_set = set;
	return err;
}

/* "200000 100000", "max 100000"; what can't be read is no limit that we know. */
static uint64_t quota_v2(struct reader *level)
{
	struct span text, word;
	uint64_t quota, period;

	if (reader_read(level, "/cpu.max", "", &text) != 0 || !span_next_word(&text, &word) ||
	    text_u64(word, &quota) != 0 || !span_next_word(&text, &word) ||
	    text_u64(span_trim(word), &period) != 0 || period == 0)
		return UINT64_MAX;
	return quota / period;
}

/* -1: no limit, and no number either. */
static uint64_t quota_v1(struct reader *level)
{
	uint64_t quota, period;

	if (reader_u64(level, "/cpu.cfs_quota_us", "", &quota) != 0 ||
	    reader_u64(level, "/cpu.cfs_period_us", "", &period) != 0 || period == 0)
		return UINT64_MAX;
	return quota / period;
}

int cpus_quota(const char *root, unsigned *ret_quota)
{
	uint64_t least = UINT64_MAX;
	struct cgroup_walk walk;
	int err = cgroup_walk_open(&walk, root, "cpu");

	if (err)
		return err;
	for (; !walk.absent && cgroup_walk_here(&walk); cgroup_walk_up(&walk)) {
		uint64_t here = walk.v2 ? quota_v2(&walk.level) : quota_v1(&walk.level);

		least = here < least ? here : least;
	}
	cgroup_walk_close(&walk);
	*ret_quota = least < UINT_MAX ? (unsigned)least : UINT_MAX;
	return 0;
}
