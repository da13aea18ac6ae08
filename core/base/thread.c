/* SPDX-License-Identifier: MIT */
/*
 * thread.c - clone(2) with a stack and a thread area of our own
 *
 * Pitfalls.
 * 1. Without CLONE_SETTLS the thread would share its creator's thread-local
 *    variables. The area's middle becomes the thread pointer; everything around
 *    it reads zero, which is also a valid stack protector's canary.
 * 2. x86-64 finds the thread pointer in the first word it points to.
 * 3. The kernel wakes who waits for a thread's end by a futex that is not private.
 * 4. Initial-exec variables lie at one distance from the thread pointer in
 *    every thread. Ours must fall into the area, or there is no thread.
 */
#include "core/base/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#define STACK_BYTES ((size_t)64 << 10)
#define AREA_BYTES ((size_t)256 << 10)
#define REACH (AREA_BYTES / 2 - 4096)

/* A thread is gone some microseconds after it has ended; then it isn't spun for any more. */
#define SPINS 100
#define SPIN_NAP_NS 20000

#define START_FLAGS                                                                           \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |   \
	 CLONE_SETTLS | CLONE_CHILD_CLEARTID)

static __thread char anchor __attribute__((tls_model("initial-exec")));

/* long thread_clone(flags, stack, thread pointer, alive): the stack's top holds run, arg. */
long thread_clone(unsigned long flags, void *stack, void *pointer, uint32_t *alive)
	__attribute__((visibility("hidden")));

#if defined(__x86_64__)
static uintptr_t thread_pointer(void)
{
	uintptr_t at;

	__asm__("movq %%fs:0, %0" : "=r"(at));
	return at;
}

__asm__(".text\n"
	".hidden thread_clone\n"
	".globl thread_clone\n"
	".type thread_clone, @function\n"
	"thread_clone:\n"
	"	movq %rcx, %r10\n"
	"	movq %rdx, %r8\n"
	"	xorl %edx, %edx\n"
	"	movl $56, %eax\n"
	"	syscall\n"
	"	testq %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	xorl %ebp, %ebp\n"
	"	popq %rax\n"
	"	popq %rdi\n"
	"	callq *%rax\n"
	"	xorl %edi, %edi\n"
	"	movl $60, %eax\n"
	"	syscall\n"
	"	hlt\n"
	".size thread_clone, . - thread_clone\n");
#elif defined(__aarch64__)
static uintptr_t thread_pointer(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

__asm__(".text\n"
	".hidden thread_clone\n"
	".globl thread_clone\n"
	".type thread_clone, %function\n"
	"thread_clone:\n"
	"	mov x4, x3\n"
	"	mov x3, x2\n"
	"	mov x2, #0\n"
	"	mov x8, #220\n"
	"	svc #0\n"
	"	cbz x0, 1f\n"
	"	ret\n"
	"1:	mov x29, #0\n"
	"	mov x30, #0\n"
	"	ldp x1, x0, [sp], #16\n"
	"	blr x1\n"
	"	mov x0, #0\n"
	"	mov x8, #93\n"
	"	svc #0\n"
	"	brk #1\n"
	".size thread_clone, . - thread_clone\n");
#endif

static bool in_reach(void)
{
	intptr_t far = (intptr_t)((uintptr_t)&anchor - thread_pointer());

	return far > -(intptr_t)REACH && far < (intptr_t)REACH;
}

/* The stack lies below the thread area, with an unmapped page under it. */
static int make_area(struct thread *t)
{
	const size_t bytes = STACK_BYTES + AREA_BYTES;
	char *area;

	if (t->area) {
		memset((char *)t->area + STACK_BYTES, 0, AREA_BYTES);
		return 0;
	}
	area = mem_pages(bytes);
	if (!area)
		return -ENOMEM;
	sys_mprotect((uintptr_t)area, mem_page_bytes(), PROT_NONE);
	t->area = area;
	return 0;
}

int thread_start(struct thread *t, void (*run)(void *arg), void *arg)
{
	/* A call of its own that a filter traps kills the process where SIGSYS is held back. */
	const uint64_t all = ~((uint64_t)1 << (SIGSYS - 1));
	uint64_t old;
	long tid;
	int err;

	if (!in_reach())
		return -ENOSYS;
	err = make_area(t);
	if (err)
		return err;

	char *pointer = (char *)t->area + STACK_BYTES + AREA_BYTES / 2;
	void **stack = (void **)(void *)((char *)t->area + STACK_BYTES) - 2;

	*(void **)(void *)pointer = pointer;
	stack[0] = (void *)(uintptr_t)run;
	stack[1] = arg;
	__atomic_store_n(&t->alive, 1, __ATOMIC_RELAXED);
	sys_sigmask(SIG_SETMASK, &all, &old);
	tid = thread_clone(START_FLAGS, stack, pointer, &t->alive);
	sys_sigmask(SIG_SETMASK, &old, NULL);
	if (tid < 0) {
		__atomic_store_n(&t->alive, 0, __ATOMIC_RELAXED);
		return (int)tid;
	}
	t->tid = (int)tid;
	return 0;
}

bool thread_ended(const struct thread *t)
{
	return __atomic_load_n(&t->alive, __ATOMIC_ACQUIRE) == 0;
}

/* The kernel clears alive first, and takes the thread out of the process' list then. */
static bool is_counted(const struct thread *t)
{
	return sys_call(SYS_tgkill, sys_getpid(), t->tid, 0, 0, 0, 0) == 0;
}

bool thread_wait(struct thread *t, uint64_t limit_ns)
{
	const uint64_t until = sys_now_ns() + limit_ns;

	while (!thread_ended(t)) {
		const uint64_t now = sys_now_ns(), ns = now < until ? until - now : 0;
		const struct timespec left = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

		if (!ns)
			return false;
		sys_call(SYS_futex, (long)&t->alive, FUTEX_WAIT, 1, (long)&left, 0, 0);
	}
	for (int tries = 0; is_counted(t); tries++) {
		if (sys_now_ns() >= until)
			return false;
		if (tries >= SPINS)
			sys_sleep_ns(SPIN_NAP_NS);
	}
	return true;
}

void thread_free(struct thread *t)
{
	if (t->area)
		mem_pages_free(t->area, STACK_BYTES + AREA_BYTES);
	t->area = NULL;
}

void thread_forget(struct thread *t)
{
	__atomic_store_n(&t->alive, 0, __ATOMIC_RELAXED);
}
