/* SPDX-License-Identifier: MIT */
/*
 * altstack.c - a handler called on the stack it asked for
 *
 * With SA_ONSTACK the kernel takes the alternate stack for our handler. A program's
 * handler that did not ask for it belongs on the stack that was interrupted, below
 * its red zone.
 */
#include "core/act/altstack.h"

#include <stddef.h>

#define RED_ZONE 256

/* Runs @call(@a, @b, @c) with the stack pointer at @sp. */
static void call_on(uintptr_t sp, void (*call)(int, siginfo_t *, void *), int a, siginfo_t *b, void *c)
{
#if defined(__x86_64__)
	register long di __asm__("rdi") = a;
	register long si __asm__("rsi") = (long)b;
	register long dx __asm__("rdx") = (long)c;

	__asm__ volatile("movq %%rsp, %%rbx\n\tmovq %[sp], %%rsp\n\tcallq *%[call]\n\tmovq %%rbx, %%rsp"
			 : "+r"(di), "+r"(si), "+r"(dx)
			 : [sp] "r"(sp), [call] "r"(call)
			 : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
			   "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			   "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
#elif defined(__aarch64__)
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = (long)b;
	register long x2 __asm__("x2") = (long)c;

	__asm__ volatile("mov x19, sp\n\tmov sp, %[sp]\n\tblr %[call]\n\tmov sp, x19"
			 : "+r"(x0), "+r"(x1), "+r"(x2)
			 : [sp] "r"(sp), [call] "r"(call)
			 : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
			   "x14", "x15", "x16", "x17", "x19", "x30", "v0", "v1", "v2", "v3", "v4",
			   "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
			   "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",
			   "v26", "v27", "v28", "v29", "v30", "v31", "memory", "cc");
#endif
}

uintptr_t altstack_interrupted(const ucontext_t *uc)
{
#if defined(__x86_64__)
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
#else
	return (uintptr_t)uc->uc_mcontext.sp;
#endif
}

static bool lies_on(const stack_t *s, uintptr_t at)
{
	return !(s->ss_flags & SS_DISABLE) && at - (uintptr_t)s->ss_sp < s->ss_size;
}

/* Where the program's handler starts: on the stack it asked for. */
bool altstack_stays(const struct sys_action *action, const ucontext_t *uc)
{
	return (action->flags & SA_ONSTACK) || lies_on(&uc->uc_stack, altstack_interrupted(uc)) ||
	       !lies_on(&uc->uc_stack, (uintptr_t)__builtin_frame_address(0));
}

void altstack_call(const struct sys_action *action, int number, siginfo_t *info, void *context)
{
	void (*handler)(int, siginfo_t *, void *) =
		(void (*)(int, siginfo_t *, void *))(uintptr_t)action->handler;
	const ucontext_t *uc = context;
	uintptr_t sp = altstack_interrupted(uc);

	if (altstack_stays(action, uc))
		handler(number, info, context);
	else
		call_on((sp - RED_ZONE) & ~(uintptr_t)15, handler, number, info, context);
}
