// SPDX-License-Identifier: MIT
/* Every function of the API at once, from many threads, with good arguments and bad. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#include "include/hresv.h"
#include "tests/harness/harness.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define THREADS 6
#define ROUNDS 25

static atomic_int calls;

static bool is_answer(int value)
{
	return value <= 0 && value > -4096 - 64;
}

static void ask_facts(unsigned i)
{
	struct hresv_budget budget;
	struct hresv_pool pool;
	char text[64];

	EXPECT_GE(hresv_page_sizes(NULL, 0), 1);
	EXPECT_GE(hresv_default_page_bytes(), PAGE);
	EXPECT_EQ(hresv_reason_of(HRESV_SHORT(HRESV_POOL)), HRESV_POOL);
	EXPECT_TRUE(is_answer(hresv_pool_query(i & 1 ? PAGE : i, (int)(i % 3) - 1, &pool)));
	EXPECT_TRUE(is_answer(hresv_budget_query(i & 1 ? 0 : i, (int)(i % 4) - 1, &budget)));
	EXPECT_GT(hresv_explain(HRESV_SHORT(i % 30), 0, text, sizeof(text)), 0);
	EXPECT_TRUE(hresv_strerror(-(int)i) && hresv_reason_name((enum hresv_reason)i));
}

static void use_reservation(unsigned i)
{
	const struct hresv_want want = { .bytes = (1 + i % 3) * PAGE, .flags = i % 40 };
	struct hresv_reservation *r = NULL, *other = NULL;
	struct hresv_reservation_info info;
	int err = hresv_reserve(&want, &r);
	void *at;

	EXPECT_TRUE(is_answer(err));
	EXPECT_EQ(err == 0, r != NULL);
	if (!r)
		return;
	EXPECT_EQ(hresv_reservation_query(r, &info), 0);
	err = hresv_map(r, i % 5 ? 0 : PAGE, 0, 0, &at);
	if (!err) {
		memset(at, (int)i, 4096);
		EXPECT_EQ(hresv_unmap(r, at, info.bytes - (i % 5 ? 0 : PAGE)), 0);
	}
	if (hresv_reservation_fd(r) >= 0) {
		EXPECT_EQ(hresv_reservation_open(hresv_reservation_fd(r), &other), 0);
		hresv_release(other);
	}
	EXPECT_TRUE(is_answer(hresv_shrink(r, PAGE)));
	hresv_release(r);
}

static void use_several(unsigned i)
{
	const struct hresv_want wants[2] = { { .bytes = PAGE, .flags = i & 1 },
					     { .bytes = (i % 4) * PAGE } };
	struct hresv_reservation *r[2] = { NULL, NULL };
	int err = hresv_reserve_all(wants, 2, r);

	EXPECT_TRUE(is_answer(err));
	EXPECT_EQ(err == 0, r[0] && r[1]);
	EXPECT_EQ(err != 0, !r[0] && !r[1]);
	hresv_release(r[0]);
	hresv_release(r[1]);
}

static void use_memory(unsigned i)
{
	const struct hresv_want want = { .bytes = PAGE + i * 4096, .flags = i & (HRESV_STRICT | HRESV_ON_NODE) };
	size_t bytes = (want.bytes + 4095) & ~(size_t)4095, huge;
	void *at, *to;
	int err = hresv_alloc(&want, &at, &huge);

	EXPECT_TRUE(is_answer(err));
	if (err)
		return;
	memset(at, 1, bytes);
	EXPECT_TRUE(is_answer(hresv_give_back(at, PAGE)));
	EXPECT_TRUE(is_answer(hresv_take_again(at, bytes, NULL)));
	EXPECT_LE(hresv_huge_bytes(at, bytes), bytes);
	if (hresv_resize(at, bytes, bytes + PAGE, &to) == 0) {
		at = to;
		bytes += PAGE;
	}
	EXPECT_EQ(hresv_free(at, bytes), 0);
}

static void observe(unsigned i)
{
	const struct hresv_policy policy = { .set = HRESV_SET_LIMIT | (i & 4),
					     .limit_bytes = (4 + i % 8) * PAGE };
	struct hresv_counters counters;
	struct hresv_policy now;

	EXPECT_EQ(hresv_counters_read(&counters, sizeof(counters)), sizeof(counters));
	EXPECT_TRUE(hresv_fallback_fd() >= 0);
	EXPECT_TRUE(is_answer(hresv_policy_set(&policy)));
	EXPECT_EQ(hresv_policy_get(&now), 0);
	if (i % 50 == 0)
		EXPECT_EQ(hresv_release_now(NULL), 0);
}

static void *call_everything(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg * 1000;

	for (unsigned round = 0; round < ROUNDS; round++, i++) {
		ask_facts(i);
		use_reservation(i);
		use_several(i);
		use_memory(i);
		observe(i);
		calls++;
	}
	return NULL;
}

/* In a child: the descriptor of fallbacks stays the library's. */
TEST_TIMEOUT(every_function_works_from_many_threads_and_in_children, 200)
{
	int status = -1;
	pid_t pid;

	pool_set(PAGE, 8);
	pid = fork();
	if (pid == 0) {
		pthread_t thread[THREADS];

		for (size_t i = 0; i < THREADS; i++)
			pthread_create(&thread[i], NULL, call_everything, (void *)(uintptr_t)i);
		while (calls < THREADS * ROUNDS) {
			pid_t child = fork();

			if (child == 0) {
				use_reservation(2);
				use_memory(3);
				_exit(0);
			}
			waitpid(child, &status, 0);
			EXPECT_EQ(status, 0);
		}
		for (size_t i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(pool_free(PAGE), 8);
	EXPECT_EQ(pool_resv(PAGE), 0);
}
