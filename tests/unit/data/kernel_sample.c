/* clang -target bpf -g -O2 -c kernel_sample.c, of which kernel_sample.btf is the section .BTF: types as a
 * kernel has them, in small. */
typedef unsigned long long u64;
typedef int pid_t;

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };

typedef struct { u64 ctx_id; } mm_context_t;
struct mm_struct { union { u64 *pgd; u64 start_pgd[1]; }; u64 start_code; mm_context_t context; enum pid_type type; };
struct sched_entity { u64 vruntime, weight; };
struct task_struct {
	pid_t pid;
	char comm[16];
	struct { int flags_a; union { int flags_b; }; };
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct sched_entity se;
};
struct trace_event_raw_sched_switch { char prev_comm[16]; pid_t prev_pid; };

__attribute__((btf_decl_tag("bpf_kfunc"))) int bpf_my_kfunc(struct task_struct *task, u64 flags)
{
	return task->pid + flags;
}

struct mm_struct init_mm = {.type = PIDTYPE_TGID};

int record(struct trace_event_raw_sched_switch *record)
{
	return record->prev_pid;
}
