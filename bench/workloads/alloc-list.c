/* SPDX-License-Identifier: MIT */
/* alloc-list.c - a chain through 256 MiB of blocks of 48 bytes, followed at random */
// section: allocator
// goals: G1 G14
// cases: 1
// brief:
// pool: 620
// memory: 512
#include "bench/workloads/work.h"

struct node {
	struct node *next;
	uint64_t name, payload[4];
};

int main(void)
{
	const size_t n = 256 * MIB / sizeof(struct node);
	struct node **node = must(malloc(n * sizeof(*node))), *at;
	uint64_t rng = seed_of(0), sum = 0;
	double begin;

	for (size_t i = 0; i < n; i++) {
		node[i] = must(malloc(sizeof(struct node)));
		node[i]->name = i;
	}
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = next_random(&rng) % (i + 1);

		at = node[i];
		node[i] = node[j];
		node[j] = at;
	}
	for (size_t i = 0; i < n; i++)
		node[i]->next = node[(i + 1) % n];
	begin = now_us();
	at = node[0];
	for (size_t i = 0; i < 2 * n; i++) {
		sum += at->name;
		at = at->next;
	}
	metric("follow_ns", (now_us() - begin) * 1e3 / (double)(2 * n));
	for (size_t i = 0; i < n; i++)
		free(node[i]);
	free(node);
	result(sum);
	return 0;
}
