/* SPDX-License-Identifier: MIT */
/*
 * walk-btree.c - look-ups in a b-tree whose nodes of 264 bytes are malloc's: walk-btree BYTES
 */
// section: walks
// cases: 256m 1g 4g
// brief: 1g
// few: glibc glibc-thp mimalloc-huge ours
// pool: 256m:160 1g:580 4g:2200
// memory: 256m:400 1g:1400 4g:4800
// pooled: ours
// show: step_ns
// plot: step_ns bytes
// timeout: 120
#include "bench/workloads/walk.h"

enum { FAN = 16, LOOKUPS = 4 << 20 };

/* Keys are 2, 4, 6...; child[i] holds what is below key[i + 1]. */
struct node {
	uint64_t keys, key[FAN];
	struct node *child[FAN];
};

/* Full nodes, from the leaves up. */
static struct node *build(size_t nodes, uint64_t *ret_keys)
{
	struct node **level = must(malloc(nodes * sizeof(*level)));
	size_t n = nodes * (FAN - 1) / FAN;
	struct node *root;

	for (size_t i = 0; i < n; i++)
		level[i] = must(malloc(sizeof(struct node)));
	for (size_t i = 0; i < n; i++) {
		struct node *leaf = level[i];

		leaf->keys = FAN;
		for (int k = 0; k < FAN; k++) {
			leaf->key[k] = 2 * (i * FAN + (size_t)k + 1);
			leaf->child[k] = NULL;
		}
	}
	*ret_keys = n * FAN;
	while (n > 1) {
		size_t above = 0;

		for (size_t i = 0; i < n; i += FAN, above++) {
			struct node *node = must(calloc(1, sizeof(*node)));

			node->keys = n - i < FAN ? n - i : FAN;
			for (size_t k = 0; k < node->keys; k++) {
				node->child[k] = level[i + k];
				node->key[k] = level[i + k]->key[0];
			}
			level[above] = node;
		}
		n = above;
	}
	root = level[0];
	free(level);
	return root;
}

static int has(const struct node *node, uint64_t key)
{
	for (;;) {
		uint64_t k = 0;

		while (k + 1 < node->keys && node->key[k + 1] <= key)
			k++;
		if (!node->child[k])
			return node->key[k] == key;
		node = node->child[k];
	}
}

int main(int argc, char **argv)
{
	uint64_t keys, found = 0, rng = seed_of(0);
	struct node *root = build(number(argc, argv, 1, GIB) / sizeof(struct node), &keys);
	double begin = now_us();

	for (int i = 0; i < LOOKUPS; i++)
		found += (uint64_t)has(root, 2 + next_random(&rng) % (2 * keys));
	metric("step_ns", (now_us() - begin) * 1e3 / LOOKUPS);
	result(found);
	return 0;
}
