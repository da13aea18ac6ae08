/* SPDX-License-Identifier: MIT */
/* What a filter says to a call, before it is set. */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "core/decide/bpf.h"
#include "tests/harness/harness.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, what)
#define IF_IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define SPARES(code, nr) bpf_spares(code, sizeof(code) / sizeof(*(code)), nr)

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

TEST(bpf_list_of_what_is_allowed_spares_that_alone)
{
	const struct sock_filter code[] = {
		LOAD(arch), IF_IS(ARCH, 1, 0), ANSWER(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr), IF_IS(SYS_mmap, 0, 1), ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
	};

	EXPECT_TRUE(SPARES(code, SYS_mmap));
	EXPECT_FALSE(SPARES(code, SYS_openat));
}

TEST(bpf_list_of_what_is_forbidden_spares_the_rest)
{
	const struct sock_filter code[] = {
		LOAD(nr), IF_IS(SYS_ptrace, 0, 1), ANSWER(SECCOMP_RET_KILL),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), ANSWER(SECCOMP_RET_KILL),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	EXPECT_TRUE(SPARES(code, SYS_openat));
	EXPECT_FALSE(SPARES(code, SYS_ptrace));
}

TEST(bpf_errno_spares_and_a_signal_or_a_success_that_is_none_does_not)
{
	static const struct { unsigned answer; bool spares; } cases[] = {
		{ SECCOMP_RET_ALLOW, true }, { SECCOMP_RET_LOG, true },
		{ SECCOMP_RET_ERRNO | 1, true }, { SECCOMP_RET_ERRNO, false },
		{ SECCOMP_RET_TRAP | 1, false }, { SECCOMP_RET_TRACE | 1, false },
		{ SECCOMP_RET_USER_NOTIF, false }, { SECCOMP_RET_KILL_PROCESS, false },
		{ SECCOMP_RET_KILL_THREAD, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sock_filter code[] = { ANSWER(cases[i].answer) };

		EXPECT_EQ(SPARES(code, SYS_openat), cases[i].spares);
	}
}

/* As for reading: such a call isn't known to be spared, others are. */
TEST(bpf_answer_that_depends_on_arguments_spares_nobody)
{
	const struct sock_filter code[] = {
		LOAD(nr), IF_IS(SYS_openat, 0, 3),
		LOAD(args[2]), IF_IS(0, 1, 0), ANSWER(SECCOMP_RET_KILL), ANSWER(SECCOMP_RET_ALLOW),
	};

	EXPECT_FALSE(SPARES(code, SYS_openat));
	EXPECT_TRUE(SPARES(code, SYS_read));
}

TEST(bpf_computes_and_remembers)
{
	const struct sock_filter code[] = {
		LOAD(nr), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_IMM, 2),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0), BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1), ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_KILL),
	};

	EXPECT_TRUE(SPARES(code, SYS_openat));
	EXPECT_TRUE(SPARES(code, 77));
}

TEST(bpf_program_without_an_end_spares_nobody)
{
	const struct sock_filter code[] = { LOAD(nr), BPF_STMT(BPF_JMP | BPF_JA, 700) };

	EXPECT_FALSE(SPARES(code, SYS_openat));
	EXPECT_FALSE(bpf_spares(code, 0, SYS_openat));
}
