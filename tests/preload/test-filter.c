/* SPDX-License-Identifier: MIT */
/*
 * A program that answers its own system calls: a filter traps them, and its SIGSYS
 * handler says what they give. Ours are trapped as well, in the middle of what we do.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static volatile sig_atomic_t answered;
static bool maps_in_handler;

static void give(ucontext_t *uc, long value)
{
#if defined(__x86_64__)
	uc->uc_mcontext.gregs[REG_RAX] = value;
#else
	uc->uc_mcontext.regs[0] = (unsigned long)value;
#endif
}

/* As a broker of files does that has none to give. */
static void answer(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	answered++;
	if (maps_in_handler) {
		char *at = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		at[0] = 1;
		munmap(at, 4 * MIB);
	}
	give(context, -EACCES);
}

static void trap_openat(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };
	struct sigaction sa = { .sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER };

	REQUIRE_EQ(sigaction(SIGSYS, &sa, NULL), 0);
	REQUIRE_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	REQUIRE_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), 0);
}

/* Memory from before the filter, and what comes after it. */
static void use_memory(char *before)
{
	char *at = mmap(NULL, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	REQUIRE_NE(at, MAP_FAILED);
	fill_pages(at, 8 * MIB, 2);
	EXPECT_EQ(munmap(before + 4096, 8192), 0);
	EXPECT_TRUE(holds_pages(before, 4096, 1));
	pid = fork();
	if (pid == 0)
		_exit(holds_pages(at, 8 * MIB, 2) && holds_pages(before, 4096, 1) ? 0 : 1);
	REQUIRE_GE(pid, 1);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(holds_pages(at, 8 * MIB, 2));
	EXPECT_EQ(munmap(at, 8 * MIB), 0);
	EXPECT_EQ(munmap(before, 4 * MIB), 0);
}

static void live_behind_a_trap(void)
{
	char *before = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(before, MAP_FAILED);
	fill_pages(before, 4 * MIB, 1);
	trap_openat();
	use_memory(before);
}

PROGRAM(has_every_open_trapped)
{
	live_behind_a_trap();
}

PROGRAM(maps_memory_while_it_answers)
{
	maps_in_handler = true;
	live_behind_a_trap();
}

TEST(calls_of_ours_that_are_trapped_get_the_programs_answer)
{
	pool_set(PAGE, 6);
	run_with_us("has_every_open_trapped");
	run_with_us("maps_memory_while_it_answers");
}

TEST(calls_of_ours_that_are_trapped_get_the_programs_answer_with_no_page_to_spare)
{
	pool_set(PAGE, 2);
	run_with_us("has_every_open_trapped");
	run_with_us("maps_memory_while_it_answers");
}
