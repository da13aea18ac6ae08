/* SPDX-License-Identifier: MIT */
/* Locks exclude, the gate waits for its guests, signals stay out meanwhile. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/lock.h"
#include "core/base/sys.h"
#include "tests/harness/harness.h"

enum { THREADS = 4, ROUNDS = 50000 };

static struct lock one = LOCK_INIT(LOCK_FACTS);
static long plain;

static void *add_under_lock(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		lock_take(&one);
		plain++;
		lock_drop(&one);
	}
	return NULL;
}

static void run_threads(void *(*body)(void *))
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		REQUIRE_EQ(pthread_create(&threads[i], NULL, body, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

TEST(lock_lets_one_thread_in_at_a_time)
{
	run_threads(add_under_lock);
	EXPECT_EQ(plain, (long)THREADS * ROUNDS);
}

TEST(lock_try_refuses_a_taken_lock)
{
	struct lock l = LOCK_INIT(LOCK_OUT);

	EXPECT_TRUE(lock_try(&l));
	EXPECT_FALSE(lock_try(&l));
	lock_drop(&l);
	EXPECT_TRUE(lock_try(&l));
	lock_renew(&l);
	EXPECT_TRUE(lock_try(&l));
}

static _Atomic int guests, most_while_closed;
static _Atomic bool closed, stop;

static void *visit(void *unused)
{
	(void)unused;
	while (!atomic_load(&stop)) {
		struct quiet q;

		gate_enter(&q);
		atomic_fetch_add(&guests, 1);
		if (atomic_load(&closed))
			atomic_fetch_add(&most_while_closed, 1);
		atomic_fetch_sub(&guests, 1);
		gate_leave(&q);
	}
	return NULL;
}

static void *close_and_open(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2000; i++) {
		gate_close();
		atomic_store(&closed, true);
		if (atomic_load(&guests))
			atomic_fetch_add(&most_while_closed, 1);
		atomic_store(&closed, false);
		gate_open();
	}
	return NULL;
}

TEST(gate_closed_means_nobody_is_inside)
{
	pthread_t visitors[THREADS], closers[2];

	for (int i = 0; i < THREADS; i++)
		REQUIRE_EQ(pthread_create(&visitors[i], NULL, visit, NULL), 0);
	for (int i = 0; i < 2; i++)
		REQUIRE_EQ(pthread_create(&closers[i], NULL, close_and_open, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(closers[i], NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(visitors[i], NULL);
	EXPECT_EQ(atomic_load(&most_while_closed), 0);
}

TEST(gate_renewed_in_a_child_is_open)
{
	struct quiet q;

	gate_close();
	gate_renew();
	gate_enter(&q);
	gate_leave(&q);
	gate_close();
	gate_open();
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

TEST(quiet_holds_a_signal_back_until_it_ends)
{
	struct quiet q;

#ifdef __SANITIZE_THREAD__
	SKIP("signals at once: ThreadSanitizer keeps them back");
#endif

	signal(SIGUSR1, on_signal);
	quiet_enter(&q);
	raise(SIGUSR1);
	EXPECT_EQ(signals, 0);
	quiet_leave(&q);
	EXPECT_EQ(signals, 1);
}

TEST(quiet_leaves_fault_signals_open)
{
	static const int open_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct quiet q;
	sigset_t now;

	quiet_enter(&q);
	sigprocmask(SIG_BLOCK, NULL, &now);
	for (size_t i = 0; i < sizeof(open_signals) / sizeof(open_signals[0]); i++)
		EXPECT_EQ(sigismember(&now, open_signals[i]), 0);
	EXPECT_EQ(sigismember(&now, SIGTERM), 1);
	quiet_leave(&q);
	sigprocmask(SIG_BLOCK, NULL, &now);
	EXPECT_EQ(sigismember(&now, SIGTERM), 0);
}
