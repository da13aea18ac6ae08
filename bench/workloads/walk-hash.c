/* SPDX-License-Identifier: MIT */
/* walk-hash.c - a hash table, open addressing, half of its probes for what is there: walk-hash BYTES [malloc|mmap|shm] */
// section: walks
// cases: 256m 1g 4g 1g,mmap 1g,shm
// brief: 1g
// contenders: malloc kernel 1g,mmap:glibc,ours 1g,shm:glibc,libhugetlbfs,ours
// few: glibc glibc-thp mimalloc-huge kernel-huge ours
// pool: 256m:140 1g:540 4g:2100 8g:4200 1g,mmap:540 1g,shm:540
// memory: 256m:300 1g:1100 4g:4300 8g:8400 1g,mmap:1100 1g,shm:1100
// pooled: kernel-huge kernel-populate ours
// show: step_ns
// plot: step_ns bytes
// timeout: 120
#include "bench/workloads/walk.h"

enum { KEYS = 4 << 20, PROBES = 8 << 20 };

struct slot {
	uint64_t key, value;
};

static uint64_t key_of(uint64_t i)
{
	i *= 0xff51afd7ed558ccdu;
	i ^= i >> 33;
	i *= 0xc4ceb9fe1a85ec53u;
	return (i ^ i >> 29) | 1;
}

/* The key's slot, or the empty one where it would go. */
static struct slot *find(struct slot *table, uint64_t mask, uint64_t key)
{
	uint64_t i = (key >> 7) & mask;

	while (table[i].key && table[i].key != key)
		i = (i + 1) & mask;
	return &table[i];
}

int main(int argc, char **argv)
{
	const size_t bytes = number(argc, argv, 1, GIB);
	const uint64_t slots = (uint64_t)1 << bits_of(bytes / sizeof(struct slot));
	struct slot *table = (struct slot *)walk_memory(argc, argv, bytes);
	uint64_t found = 0;
	double begin;

	memset(table, 0, bytes);
	for (uint64_t i = 0; i < KEYS; i++)
		*find(table, slots - 1, key_of(i)) = (struct slot){ key_of(i), i };
	begin = now_us();
	for (uint64_t i = 0; i < PROBES; i++) {
		uint64_t name = place_of(i, bits_of(PROBES));
		struct slot *slot = find(table, slots - 1, key_of(name));

		found += slot->key && slot->value == name;
	}
	metric("step_ns", (now_us() - begin) * 1e3 / PROBES);
	result(found);
	return 0;
}
