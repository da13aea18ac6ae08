/* SPDX-License-Identifier: MIT */
// timeout: 300
/*
 * The net: SIGBUS for want of a huge page is mended, in any thread and on any stack;
 * every other SIGBUS and SIGSEGV goes where it went without us.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fork/net.h"
#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

static void *add_up(void *arg)
{
	_Atomic uint64_t *words = arg;

	for (size_t i = 0; i < BYTES / sizeof(*words); i += 512)
		words[i]++;
	return NULL;
}

/* Every thread meets every page for the first time with the others: none may lose a count. */
PROGRAM(adds_in_threads)
{
	uint64_t *words = map(BYTES, MAP_PRIVATE);
	pthread_t thread[8];
	int stop[2];
	pid_t pid;

	memset(words, 0, BYTES);
	pid = keeper(stop);
	for (int i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, add_up, words);
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; i < BYTES / sizeof(*words); i += 512)
		REQUIRE_EQ(words[i], 8);
	end_keeper(stop, pid);
}

TEST(net_loses_no_write_of_eight_threads)
{
	pool_set(PAGE, PAGES);
	run_with_us("adds_in_threads", "HUGETLB_FORK=share");
}

/*
 * Memory we left unproven: shared, reserved where no limit can be, and then the process is
 * moved below one.
 */
PROGRAM(touches_below_a_limit_it_was_moved_to)
{
	pthread_t thread[4];
	char *at = map(BYTES, MAP_SHARED);
	uint64_t *words = (uint64_t *)at;
	int fd = open(getenv("PROCS"), O_WRONLY);

	at[0] = 1;
	REQUIRE_EQ(write(fd, "0", 1), 1);
	close(fd);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, add_up, words);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; i < BYTES / sizeof(*words); i += 512)
		REQUIRE_EQ(words[i], i == 0 ? 5 : 4);
	/* What is several mappings by now is one to the program: a second view of it. */
	words = mremap(at + PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE);
	REQUIRE_NE(words, MAP_FAILED);
	for (size_t i = 0; i < 2 * PAGE / sizeof(*words); i += 512)
		REQUIRE_EQ(words[i], 4);
}

TEST(net_backs_reserved_shared_memory_of_a_process_moved_below_a_limit)
{
	char procs[4200];

	pool_set(PAGE, PAGES);
	snprintf(procs, sizeof(procs), "PROCS=%s/cgroup.procs", cgroup_make("pod"));
	cgroup_limit_fault("pod", PAGE, PAGE);
	run_with_us("touches_below_a_limit_it_was_moved_to", procs);
}

PROGRAM(catches_its_own)
{
	char *bad = truncated(), *at;
	static char spare[64 << 10];
	const stack_t other = { .ss_sp = spare, .ss_size = sizeof(spare) };
	struct sigaction old;
	sigset_t mask;
	int stop[2];
	pid_t pid;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGSEGV);
	install(SIGBUS, 0, &mask);
	at = shared_with_a_child(stop, &pid);	/* the net is there from here on */
	fill_pages(at, BYTES, 2);
	EXPECT_LT(huge_in(at, BYTES), BYTES);
	EXPECT_EQ(seen.calls, 0);

	EXPECT_EQ(sigaltstack(&other, NULL), 0);
	for (int n = 0; n < 3; n++) {
		expect_handler_told(bad, SIGBUS);
		EXPECT_TRUE(sigismember(&seen.mask, SIGBUS));
		EXPECT_TRUE(sigismember(&seen.mask, SIGSEGV));
		EXPECT_TRUE(sigismember(&seen.mask, SIGUSR2));
		EXPECT_FALSE(sigismember(&seen.mask, SIGUSR1));
		EXPECT_FALSE(seen.frame - (uintptr_t)spare < sizeof(spare));
	}
	EXPECT_EQ(sigaction(SIGBUS, NULL, &old), 0);
	EXPECT_EQ(old.sa_sigaction, note);
	EXPECT_TRUE(sigismember(&old.sa_mask, SIGSEGV));
	EXPECT_TRUE(old.sa_flags & SA_SIGINFO);
	EXPECT_FALSE(old.sa_flags & (SA_ONSTACK | SA_NODEFER));

	install(SIGBUS, SA_ONSTACK | SA_NODEFER, NULL);
	expect_handler_told(bad, SIGBUS);
	EXPECT_TRUE(seen.frame - (uintptr_t)spare < sizeof(spare));
	EXPECT_FALSE(sigismember(&seen.mask, SIGBUS));
	EXPECT_EQ(signal(SIGBUS, SIG_DFL), (sighandler_t)(uintptr_t)note);
	EXPECT_EQ(signal(SIGBUS, SIG_IGN), SIG_DFL);
	EXPECT_EQ(raise(SIGBUS), 0);		/* ignored */
	EXPECT_TRUE(holds_pages(at, BYTES, 2));
	end_keeper(stop, pid);
}

TEST(net_hands_a_foreign_bus_error_to_the_programs_handler_unchanged)
{
	pool_set(PAGE, PAGES);
	run_with_us("catches_its_own", "HUGETLB_FORK=share");
}

/* How a child that does this ends. */
static int end_of(void (*act)(char *bad), char *bad)
{
	pid_t pid = fork();

	if (pid == 0) {
		act(bad);
		_exit(0);
	}
	return status_of(pid);
}

static void touch(char *bad)
{
	*(volatile char *)bad = 1;
}

static char *volatile nowhere = (char *)64;

static void ignore_and_touch(char *bad)
{
	signal(SIGBUS, SIG_IGN);
	touch(bad);
}

static void send_itself(char *bad)
{
	(void)bad;
	kill(getpid(), SIGBUS);
}

static void fault_again(int number)
{
	touch((char *)(uintptr_t)seen.info.si_addr);
	(void)number;
}

static void touch_in_handler(char *bad)
{
	struct sigaction action = { .sa_handler = fault_again };

	seen.info.si_addr = bad;
	sigaction(SIGBUS, &action, NULL);
	touch(bad);
}

static void wait_for_it(char *bad)
{
	sigset_t set;
	siginfo_t info;

	(void)bad;
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGBUS);
	if (sigwaitinfo(&set, &info) != SIGBUS || info.si_code != SI_USER)
		_exit(5);
}

static void poll_for_it(char *bad)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	(void)bad;
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	kill(getpid(), SIGBUS);
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 2000) != 1 ||
	    read(fd, &info, sizeof(info)) != sizeof(info) || info.ssi_signo != SIGBUS)
		_exit(6);
}

static void unblock_it(char *bad)
{
	sigset_t set;

	(void)bad;
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGBUS);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(7);
}

PROGRAM(dies_as_ever)
{
	char *bad = truncated(), *at;
	int stop[2];
	pid_t pid;

	at = shared_with_a_child(stop, &pid);
	fill_pages(at, BYTES, 2);
	EXPECT_EQ(end_of(touch, bad), 128 + SIGBUS);
	EXPECT_EQ(end_of(ignore_and_touch, bad), 128 + SIGBUS);
	EXPECT_EQ(end_of(send_itself, bad), 128 + SIGBUS);
	EXPECT_EQ(end_of(touch_in_handler, bad), 128 + SIGBUS);
	EXPECT_EQ(end_of(touch, nowhere), 128 + SIGSEGV);
	EXPECT_EQ(end_of(wait_for_it, bad), 0);
	EXPECT_EQ(end_of(poll_for_it, bad), 0);
	EXPECT_EQ(end_of(unblock_it, bad), 128 + SIGBUS);
	end_keeper(stop, pid);
}

TEST(net_lets_a_program_die_of_what_it_died_of)
{
	pool_set(PAGE, PAGES);
	run_with_us("dies_as_ever", "HUGETLB_FORK=share");
}

/* A thread that blocks every signal, a handler that does, a handler on another stack. */
static char *blocked_memory;

static void write_in_handler(int number)
{
	blocked_memory[PAGE] = (char)number;
}

static void *write_blocked(void *arg)
{
	struct sigaction action = { .sa_handler = write_in_handler };
	sigset_t all, now;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	EXPECT_TRUE(sigismember(&now, SIGBUS));
	blocked_memory[0] = 7;
	sigfillset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &all, NULL);
	raise(SIGUSR1);
	return arg;
}

PROGRAM(writes_with_signals_blocked)
{
	pthread_t thread;
	int stop[2];
	pid_t pid;

	blocked_memory = shared_with_a_child(stop, &pid);
	pthread_create(&thread, NULL, write_blocked, NULL);
	pthread_join(thread, NULL);
	EXPECT_EQ(blocked_memory[0], 7);
	EXPECT_EQ(blocked_memory[PAGE], SIGUSR1);
	EXPECT_EQ(huge_in(blocked_memory, BYTES), BYTES - 2 * PAGE);
	end_keeper(stop, pid);
}

TEST(net_works_in_threads_and_handlers_that_block_every_signal)
{
	pool_set(PAGE, PAGES);
	run_with_us("writes_with_signals_blocked", "HUGETLB_FORK=share");
}

/* Nothing is installed in a program that has no huge memory. */
PROGRAM(has_no_handler)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof(line), status))
		if (strncmp(line, "SigCgt:", 7) == 0)
			EXPECT_EQ(strtoull(line + 7, NULL, 16) & (1u << (SIGBUS - 1)), 0);
	fclose(status);
}

TEST(net_is_not_there_without_huge_memory)
{
	run_with_us("has_no_handler");
}
