/* SPDX-License-Identifier: MIT */
/*
 * policy.c - memory policy, cpuset and the right to huge segments
 *
 * Pitfalls.
 * 1. Of all policies only MPOL_BIND keeps a huge page off a node; the others
 *    prefer and then look elsewhere (mm/hugetlb.c, allowed_mems_nr and
 *    alloc_hugetlb_folio_nodemask).
 * 2. Containers often refuse get_mempolicy(2) (EPERM). With one node that has
 *    memory nothing can narrow us, whatever is refused.
 * 3. Cpuset and policy are per thread: /proc/thread-self, then /proc/self.
 */
#include "core/facts/policy.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <string.h>

#include "core/base/sys.h"
#include "core/facts/meminfo.h"
#include "core/facts/reader.h"

/* The link of the first user namespace: PROC_USER_INIT_INO. */
#define INITIAL_NAMESPACE "user:[4026531837]"
#define MODE_FLAGS (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING_BIT)
#define MPOL_F_NUMA_BALANCING_BIT (1 << 13)	/* not in every linux/mempolicy.h */

#define WORDS (POLICY_NODES_MAX / 64)

struct nodes {
	uint64_t word[WORDS];
};

static unsigned count(const struct nodes *nodes)
{
	unsigned n = 0;

	for (size_t i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountll(nodes->word[i]);
	return n;
}

static bool covers(const struct nodes *allowed, const struct nodes *wanted)
{
	for (size_t i = 0; i < WORDS; i++)
		if (wanted->word[i] & ~allowed->word[i])
			return false;
	return true;
}

static void keep_only(struct nodes *nodes, const struct nodes *others)
{
	for (size_t i = 0; i < WORDS; i++)
		nodes->word[i] &= others->word[i];
}

static int read_status(struct reader *r, struct span *ret_status)
{
	int err = reader_base(r, "/proc/");

	if (!err)
		err = reader_read(r, "thread-self/status", "", ret_status);
	if (err && err != -ENOMEM)
		err = reader_read(r, "self/status", "", ret_status);
	return err;
}

static int read_with_memory(struct reader *r, struct nodes *ret_nodes)
{
	struct span list;
	int err = reader_base(r, "/sys/devices/system/node/");

	if (!err)
		err = reader_read(r, "has_memory", "", &list);
	if (!err)
		err = text_set(list, ret_nodes->word, WORDS);
	if (!err && count(ret_nodes) == 0)
		err = -EBADMSG;
	return err;
}

static int read_cpuset(struct reader *r, struct nodes *ret_nodes)
{
	struct span status, list;
	int err = read_status(r, &status);

	if (!err)
		err = meminfo_text(status, "Mems_allowed_list:", &list);
	return err ? err : text_set(list, ret_nodes->word, WORDS);
}

/*
 * What the policy allows of the cpuset's nodes in @allowed. A relative node set
 * is folded onto the cpuset by the kernel and shown unfolded: not to be trusted.
 */
static int apply_policy(struct policy *p, struct nodes *allowed, bool *narrowed)
{
	union {
		unsigned long longs[WORDS];
		struct nodes nodes;
	} bound;
	int mode = 0;

	memset(&bound, 0, sizeof(bound));
	long err = sys_get_mempolicy(&mode, bound.longs, POLICY_NODES_MAX);

	if (err < 0) {
		*narrowed = true;
		return (int)err;
	}
	p->mode = mode & ~MODE_FLAGS;
	if (p->mode != MPOL_BIND)
		return 0;
	if (mode & MPOL_F_RELATIVE_NODES)
		*narrowed = true;
	else
		keep_only(allowed, &bound.nodes);
	return 0;
}

static int read_policy(struct reader *r, struct policy *p)
{
	struct nodes allowed, memory = { { 0 } };
	int cpuset_err, memory_err, err;

	memset(&allowed, 0xff, sizeof(allowed));
	cpuset_err = read_cpuset(r, &allowed);
	memory_err = read_with_memory(r, &memory);
	if (cpuset_err == -ENOMEM || memory_err == -ENOMEM)
		return -ENOMEM;
	p->narrowed = cpuset_err || memory_err;
	err = apply_policy(p, &allowed, &p->narrowed);
	if (memory_err && err == -ENOSYS) {
		p->narrowed = false;	/* a kernel without NUMA */
		memory.word[0] = 1;
	} else if (memory_err) {
		memory = allowed;
	} else if (count(&memory) == 1) {
		p->narrowed = false;	/* there is nowhere else */
		allowed = memory;
	} else if (!covers(&allowed, &memory)) {
		p->narrowed = true;
	}
	p->nodes_online = memory_err ? 1 : count(&memory);
	keep_only(&allowed, &memory);
	memcpy(p->nodes_allowed, allowed.word, sizeof(p->nodes_allowed));
	return 0;
}

int policy_read(const char *root, struct policy *ret_policy)
{
	struct policy p = { 0 };
	struct reader r;
	int err = reader_open(&r, root);

	if (!err)
		err = read_policy(&r, &p);
	reader_close(&r);
	if (!err)
		*ret_policy = p;
	return err;
}

static int parse_hex(struct span s, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.bytes == 0 || s.bytes > 16)
		return -EBADMSG;
	for (size_t i = 0; i < s.bytes; i++) {
		const char *digits = "0123456789abcdef";
		const char *digit = s.at[i] ? strchr(digits, s.at[i]) : NULL;

		if (!digit)
			return -EBADMSG;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	*ret_value = value;
	return 0;
}

static int has_ipc_lock(struct span status, bool *ret_has)
{
	struct span text;
	uint64_t capabilities;
	int err = meminfo_text(status, "CapEff:", &text);

	if (!err)
		err = parse_hex(text, &capabilities);
	if (!err)
		*ret_has = capabilities >> CAP_IPC_LOCK & 1;
	return err;
}

/* The group the kernel asks for: the file system group, or one of the others. */
static int in_group(struct span status, uint64_t group, bool *ret_in)
{
	struct span ids, word;
	uint64_t id = 0;
	int err = meminfo_text(status, "Gid:", &ids);

	if (err)
		return err;
	for (int i = 0; i < 4; i++)	/* real, effective, saved, file system */
		if (!span_next_word(&ids, &word) || text_u64(word, &id))
			return -EBADMSG;
	*ret_in = id == group;
	err = meminfo_text(status, "Groups:", &ids);
	while (!err && !*ret_in && span_next_word(&ids, &word)) {
		err = text_u64(word, &id);
		*ret_in = !err && id == group;
	}
	return err;
}

/*
 * The kernel compares in the first user namespace: inside another one our
 * capabilities do not count, and the number in hugetlb_shm_group is no number of
 * ours. *ret_foreign is false where the kernel has no such namespaces.
 */
static int in_foreign_namespace(struct reader *r, bool *ret_foreign)
{
	struct span text;
	int err = reader_base(r, "/proc/self/ns/user");

	if (!err)
		err = reader_link(r, "", &text);
	if (err == -ENOENT)
		return 0;
	if (!err)
		*ret_foreign = !span_equal(text, INITIAL_NAMESPACE);
	return err;
}

static int may_shm(struct reader *r, bool *ret_may)
{
	struct span status;
	uint64_t group;
	bool foreign = false, may;
	int err = in_foreign_namespace(r, &foreign);

	if (err || foreign) {
		*ret_may = false;
		return err;
	}
	err = reader_base(r, "/proc/sys/vm/hugetlb_shm_group");
	if (!err)
		err = reader_u64(r, "", "", &group);
	if (!err)
		err = read_status(r, &status);
	if (!err)
		err = has_ipc_lock(status, &may);
	if (!err && !may)
		err = in_group(status, group, &may);
	if (!err)
		*ret_may = may;
	return err;
}

int policy_may_shm_hugetlb(const char *root, bool *ret_may)
{
	struct reader r;
	bool may = false;
	int err = reader_open(&r, root);

	if (!err)
		err = may_shm(&r, &may);
	reader_close(&r);
	if (!err)
		*ret_may = may;
	return err;
}
