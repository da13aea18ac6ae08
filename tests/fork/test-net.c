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
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define PAGES 4
#define BYTES (PAGES * PAGE)
#define RW (PROT_READ | PROT_WRITE)

static void *map(size_t bytes, int flags)
{
	void *at = mmap(NULL, bytes, RW, flags | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

static int status_of(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A child that keeps what it shares until told; a policy that shares without a page to spare. */
static pid_t keeper(int ret_stop[2])
{
	pid_t pid;
	char c;

	REQUIRE_EQ(pipe(ret_stop), 0);
	pid = fork();
	if (pid == 0) {
		close(ret_stop[1]);
		if (read(ret_stop[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(ret_stop[0]);
	return pid;
}

static char *shared_with_a_child(int stop[2], pid_t *ret_pid)
{
	char *at = map(BYTES, MAP_PRIVATE);

	fill_pages(at, BYTES, 1);
	REQUIRE_EQ(huge_in(at, BYTES), BYTES);
	*ret_pid = keeper(stop);
	return at;
}

static void end_keeper(int stop[2], pid_t pid)
{
	close(stop[1]);
	EXPECT_EQ(status_of(pid), 0);
}

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

/* Memory the kernel left unproven: shared, reserved, and then a limit comes down. */
PROGRAM(touches_under_a_lowered_limit)
{
	pthread_t thread[4];
	char *at = map(BYTES, MAP_SHARED);
	uint64_t *words = (uint64_t *)at;
	int fd = open(getenv("LIMIT_FILE"), O_WRONLY);

	at[0] = 1;
	REQUIRE_EQ(write(fd, getenv("LIMIT"), strlen(getenv("LIMIT"))), strlen(getenv("LIMIT")));
	close(fd);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, add_up, words);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; i < BYTES / sizeof(*words); i += 512)
		REQUIRE_EQ(words[i], i == 0 ? 5 : 4);
}

TEST(net_backs_reserved_shared_memory_when_a_limit_is_lowered)
{
	char file[4096], variable[4200], limit[64];

	pool_set(PAGE, PAGES);
	snprintf(file, sizeof(file), "LIMIT_FILE=%s/hugetlb.2MB.%s", cgroup_make("pod"),
		 cgroup_version() == 2 ? "max" : "limit_in_bytes");
	snprintf(variable, sizeof(variable), "%s", file);
	snprintf(limit, sizeof(limit), "LIMIT=%llu", (unsigned long long)PAGE);
	run_with_us_in("pod", "touches_under_a_lowered_limit", variable, limit);
}

/* A handler of the program's, and what it was told. */
static struct {
	volatile sig_atomic_t calls;
	siginfo_t info;
	uintptr_t frame;
	sigset_t mask;
	sigjmp_buf back;
} seen;

static void note(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	seen.calls++;
	seen.info = *info;
	seen.frame = (uintptr_t)__builtin_frame_address(0);
	sigprocmask(SIG_BLOCK, NULL, &seen.mask);
	siglongjmp(seen.back, 1);
}

/* A page behind the end of a file: SIGBUS that is nobody's fault but the program's. */
static char *truncated(void)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	char *at = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);

	close(fd);
	return at;
}

static void expect_handler_told(char *bad, int number)
{
	seen.calls = 0;
	if (sigsetjmp(seen.back, 1) == 0)
		*(volatile char *)bad = 1;
	EXPECT_EQ(seen.calls, 1);
	EXPECT_EQ(seen.info.si_signo, number);
	EXPECT_EQ(seen.info.si_addr, bad);
	EXPECT_EQ(seen.info.si_code, number == SIGBUS ? BUS_ADRERR : SEGV_ACCERR);
}

static void install(int number, int flags, const sigset_t *mask)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | flags };

	if (mask)
		action.sa_mask = *mask;
	EXPECT_EQ(sigaction(number, &action, NULL), 0);
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

/* Threads that touch what they have not touched yet, and map more, as everything is taken away. */
#define FRESH 6

static struct fresh_kind {
	const char *name;
	char *at;
} fresh_kinds[5];

static void *touch_all_kinds(void *arg)
{
	for (int round = 0; round < 4; round++) {
		char *more = map(2 * PAGE, MAP_PRIVATE);

		for (size_t k = 0; k < 5; k++)
			for (size_t i = 0; i < FRESH * PAGE; i += 4096)
				__atomic_fetch_add((int *)(void *)(fresh_kinds[k].at + i), 1,
						   __ATOMIC_RELAXED);
		memset(more, 7, 2 * PAGE);
		munmap(more, 2 * PAGE);
	}
	return arg;
}

static void write_to(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	REQUIRE_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

PROGRAM(touches_while_everything_is_taken)
{
	const int huge = MAP_HUGETLB | MAP_NORESERVE;
	int id = shmget(IPC_PRIVATE, FRESH * PAGE, IPC_CREAT | 0600);
	pthread_t thread[4];

	fresh_kinds[0] = (struct fresh_kind){ "private", map(FRESH * PAGE, MAP_PRIVATE) };
	fresh_kinds[1] = (struct fresh_kind){ "shared", map(FRESH * PAGE, MAP_SHARED) };
	fresh_kinds[2] = (struct fresh_kind){ "asked for", map(FRESH * PAGE, MAP_PRIVATE | huge) };
	fresh_kinds[3] = (struct fresh_kind){ "asked for, shared", map(FRESH * PAGE, MAP_SHARED | huge) };
	fresh_kinds[4] = (struct fresh_kind){ "segment", shmat(id, NULL, 0) };
	shmctl(id, IPC_RMID, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, touch_all_kinds, NULL);
	write_to("/proc/sys/vm/nr_hugepages", "0");
	write_to(getenv("LIMIT_FILE"), getenv("LIMIT"));
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (size_t k = 0; k < 5; k++)
		for (size_t i = 0; i < FRESH * PAGE; i += 4096)
			if (*(int *)(void *)(fresh_kinds[k].at + i) != 16)
				FAIL("%s: %d at %zu", fresh_kinds[k].name,
				     *(int *)(void *)(fresh_kinds[k].at + i), i);
}

/* A limit may not come below what is used on some systems: then it comes as low as it can. */
TEST(net_holds_while_the_pool_is_drained_and_the_limit_lowered_under_threads)
{
	char file[4096], variable[4200], limit[64];

	pool_set(PAGE, 5 * FRESH + 4);
	snprintf(file, sizeof(file), "LIMIT_FILE=%s/hugetlb.2MB.%s", cgroup_make("pod"),
		 cgroup_version() == 2 ? "max" : "limit_in_bytes");
	snprintf(variable, sizeof(variable), "%s", file);
	snprintf(limit, sizeof(limit), "LIMIT=%llu", (unsigned long long)(5 * FRESH * PAGE));
	run_with_us_in("pod", "touches_while_everything_is_taken", variable, limit);
}

/* A file of huge pages that is cut short: nothing of ours helps, and nothing of ours is spent. */
PROGRAM(maps_a_file_that_is_cut)
{
	int fd = memfd_create("cut", MFD_CLOEXEC | MFD_HUGETLB), stop[2];
	char *file, *at;
	pid_t pid;

	REQUIRE_EQ(ftruncate(fd, 2 * PAGE), 0);
	file = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	REQUIRE_NE(file, MAP_FAILED);
	install(SIGBUS, 0, NULL);
	at = shared_with_a_child(stop, &pid);
	end_keeper(stop, pid);
	file[PAGE + 77] = 1;
	REQUIRE_EQ(ftruncate(fd, PAGE), 0);
	expect_handler_told(file + PAGE + 77, SIGBUS);
	EXPECT_GE(huge_in(at, BYTES), BYTES - 3 * PAGE);
	REQUIRE_EQ(ftruncate(fd, 2 * PAGE), 0);
	signal(SIGBUS, SIG_DFL);
	REQUIRE_EQ(ftruncate(fd, PAGE), 0);
	pid = fork();
	if (pid == 0) {
		file[PAGE] = 1;
		_exit(0);
	}
	EXPECT_EQ(status_of(pid), 128 + SIGBUS);
}

TEST(net_lets_a_file_cut_short_be_the_programs_bus_error)
{
	pool_set(PAGE, PAGES + 2);
	run_with_us("maps_a_file_that_is_cut", "HUGETLB_FORK=share");
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
