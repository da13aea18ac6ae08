/* SPDX-License-Identifier: MIT */
/*
 * Large memory of programs, which several threads of ours may populate: it is whole, and the
 * program never meets them, whatever it forbids, does in a handler or does meanwhile.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/idle.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"
#include "tests/harness/tree.h"

#define PAGE (2 * MIB)
#define BYTES (64 * MIB)
#define ROUNDS 10

static int threads(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[200];
	int n = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

static char *map_large(void)
{
	char *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		_exit(50);
	return at;
}

static void use(char *at)
{
	if (huge_in(at, BYTES) != BYTES)
		_exit(51);
	if (!is_zero(at, BYTES))
		_exit(52);
	fill_pages(at, BYTES, 3);
	if (!holds_pages(at, BYTES, 3))
		_exit(53);
}

PROGRAM(maps_large)
{
	for (int i = 0; i < ROUNDS; i++) {
		char *at = map_large();

		if (threads() != 1)
			_exit(54);
		use(at);
		if (munmap(at, BYTES) != 0)
			_exit(55);
	}
}

PROGRAM(maps_large_where_no_thread_may_be_made)
{
	const struct rlimit one = { 1, 1 };

	if (setrlimit(RLIMIT_NPROC, &one) != 0 || setuid(65534) != 0)
		_exit(60);
	maps_large();
}

static void filter(unsigned action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
		_exit(61);
}

PROGRAM(maps_large_where_a_thread_is_death)
{
	filter(SECCOMP_RET_KILL_PROCESS);
	maps_large();
}

PROGRAM(maps_large_on_one_processor)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) != 0)
		_exit(62);
	maps_large();
}

/* By number, past our own unshare(): the kernel must count one thread at once. */
PROGRAM(unshares_right_after)
{
	for (int i = 0; i < ROUNDS; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			map_large();
			_exit(syscall(SYS_unshare, CLONE_NEWUSER) != 0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			_exit(63);
	}
}

static char *volatile mapped;

static void map_in_handler(int number)
{
	(void)number;
	mapped = map_large();
}

/* On a stack of the least size that programs take. */
PROGRAM(maps_large_in_a_handler)
{
	struct sigaction action = { .sa_handler = map_in_handler, .sa_flags = SA_ONSTACK };
	const size_t bytes = (size_t)sysconf(_SC_MINSIGSTKSZ) + 8192;
	const stack_t stack = { .ss_sp = malloc(bytes), .ss_size = bytes };

	if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
		_exit(64);
	for (int i = 0; i < ROUNDS; i++) {
		mapped = NULL;
		raise(SIGUSR1);
		if (threads() != 1)
			_exit(54);
		use(mapped);
		munmap(mapped, BYTES);
	}
}

static _Atomic bool stop;

static void *map_on_and_on(void *unused)
{
	while (!stop) {
		char *at = map_large();

		memset(at, 1, 4096);
		munmap(at, BYTES);
	}
	return unused;
}

/* The child has nothing of what its parent was at, and may map at once. */
PROGRAM(forks_while_another_thread_maps)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, map_on_and_on, NULL) != 0)
		_exit(65);
	for (int i = 0; i < 40; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (at == MAP_FAILED)
				_exit(1);
			fill_pages(at, PAGE, 4);
			_exit(!holds_pages(at, PAGE, 4));
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			_exit(66);
	}
	stop = true;
	pthread_join(thread, NULL);
}

/* Whole process ends, or becomes another, in the middle of it. */
PROGRAM(ends_while_another_thread_maps)
{
	for (int i = 0; i < 20; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			pthread_t thread;

			if (pthread_create(&thread, NULL, map_on_and_on, NULL) != 0)
				_exit(65);
			usleep((useconds_t)(i * 500));
			if (i % 2)
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			_exit(67);
	}
}

static void idle(void *directory)
{
	if (!machine_runs(directory, 1))
		_exit(40);
}

static void run(const char *program)
{
	struct spawned r;

	if (geteuid() != 0)
		SKIP("root");
	pool_set(PAGE, BYTES / PAGE + 4);
	r = program_run(program, (struct spawn){ .preload = "libhresv.so", .in_child = idle,
						 .arg = (void *)(uintptr_t)tree_make() });
	EXPECT_EQ(r.signal, 0);
	EXPECT_EQ(r.exit_status, 0);
	EXPECT_STR_EQ(r.err, "");
	EXPECT_EQ(pool_free(PAGE), BYTES / PAGE + 4);
}

TEST(large_memory_is_huge_and_no_thread_is_left) { run("maps_large"); }
TEST(large_memory_without_a_thread_to_be_had_is_huge) { run("maps_large_where_no_thread_may_be_made"); }
TEST(large_memory_where_a_thread_is_death_kills_nobody) { run("maps_large_where_a_thread_is_death"); }
TEST(large_memory_on_one_processor_is_huge) { run("maps_large_on_one_processor"); }
TEST(large_memory_leaves_a_process_that_may_unshare) { run("unshares_right_after"); }
TEST(large_memory_in_a_handler_on_a_small_stack_is_huge) { run("maps_large_in_a_handler"); }
TEST(large_memory_while_others_fork_harms_no_child) { run("forks_while_another_thread_maps"); }
TEST(large_memory_in_a_process_that_ends_holds_nothing_up) { run("ends_while_another_thread_maps"); }
