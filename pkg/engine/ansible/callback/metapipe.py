"""Tells metapipe what Ansible does: one JSON object a line in the file events.jsonl beside this one.

What the vault decrypts goes to secrets.jsonl before the result of the task that needed it, so
that metapipe can keep it out of everything that people read.
"""
import hashlib
import json
import os

import yaml

from ansible.executor import task_result
from ansible.parsing.vault import VaultLib
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__

DOCUMENTATION = '''
    name: metapipe
    type: stdout
    short_description: writes events for metapipe
    description:
        - Writes events for metapipe.
'''

HERE = os.path.dirname(os.path.abspath(__file__))
MAX_TEXT = 1 << 18
# What a task of these actions that failed says on its standard error helps people.
FAILURE = ('msg', 'stderr', 'stdout', 'module_stderr', 'module_stdout', 'exception', 'reason')


def append(name, value):
    """Writes one line at once: workers are processes of their own."""
    line = json.dumps(value, default=str) + '\n'
    fd = os.open(os.path.join(HERE, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        data = line.encode('utf-8', 'surrogatepass')
        while data:
            data = data[os.write(fd, data):]
    finally:
        os.close(fd)


def keep_secrets():
    """Notes every text that the vault decrypts, in this process and in the workers forked from it."""
    decrypt = VaultLib.decrypt_and_get_vault_id

    def noting(self, *args, **kwargs):
        result = decrypt(self, *args, **kwargs)
        text = result[0].decode('utf-8', 'replace') if isinstance(result[0], bytes) else str(result[0])
        append('secrets.jsonl', {'secret': text, 'values': scalars(text)})
        return result

    VaultLib.decrypt_and_get_vault_id = noting


class Loader(yaml.SafeLoader):
    """Reads the values of a decrypted file of variables, whatever their tags."""


Loader.add_multi_constructor('', lambda loader, suffix, node: node.value if isinstance(node, yaml.ScalarNode) else None)


def scalars(text):
    try:
        found, todo = [], [yaml.load(text, Loader)]
    except Exception:
        return []
    while todo and len(found) < 10000:
        value = todo.pop()
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, (list, tuple)):
            todo.extend(value)
        elif value is not None and not isinstance(value, bool) and (isinstance(value, str) or len(str(value)) >= 6):
            found.append(str(value))
    return found


def settings():
    with open(os.path.join(HERE, 'settings.json'), encoding='utf-8') as f:
        return json.load(f)


def text(value):
    if isinstance(value, bytes):
        value = value.decode('utf-8', 'replace')
    return value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'metapipe'

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.settings = settings()
        self.play = ''
        keep_secrets()
        # Why a task was skipped is no secret: `no_log` tasks with a condition are no changes.
        kept = getattr(task_result, '_PRESERVE', None)
        if isinstance(kept, (tuple, frozenset)):
            task_result._PRESERVE = tuple(kept) + ('skip_reason', 'skipped_reason')
        append('events.jsonl', {'event': 'version', 'version': __version__})

    def v2_playbook_on_play_start(self, play):
        self.play = play.get_name()
        append('events.jsonl', {'event': 'play', 'play': self.play})

    def v2_playbook_on_no_hosts_matched(self):
        append('events.jsonl', {'event': 'no_hosts', 'play': self.play})

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.task_start(task)

    def v2_playbook_on_handler_task_start(self, task):
        self.task_start(task)

    def v2_playbook_on_cleanup_task_start(self, task):
        self.task_start(task)

    def task_start(self, task):
        names = (task.name, task.get_name())
        mode = task.check_mode
        rehearsed = mode is True or str(mode).strip().lower() in ('true', 'yes', 'on', '1', 'y', 't')
        if self.settings['check'] and not rehearsed and not any(n in self.settings['unchecked'] for n in names):
            append('events.jsonl', {'event': 'unchecked', 'task': task.get_name(), 'path': task.get_path() or ''})
            os._exit(70)  # nothing of this task has begun, and no exception of a callback stops a run
        append('events.jsonl', {'event': 'task', 'task': task.get_name(), 'path': task.get_path() or ''})

    def v2_runner_on_start(self, host, task):
        append('events.jsonl', {'event': 'start', 'host': host.get_name(), 'task': task.get_name(), 'action': task.action, 'id': task._uuid})

    def v2_runner_on_ok(self, result):
        self.result('ok', result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.result('failed', result, ignored=bool(ignore_errors))

    def v2_runner_on_skipped(self, result):
        self.result('skipped', result)

    def v2_runner_on_unreachable(self, result):
        self.result('unreachable', result)

    def v2_runner_item_on_ok(self, result):
        self.result('ok', result, item=True)

    def v2_runner_item_on_failed(self, result):
        self.result('failed', result, item=True)

    def v2_runner_item_on_skipped(self, result):
        self.result('skipped', result, item=True)

    def v2_playbook_on_stats(self, stats):
        append('events.jsonl', {'event': 'end', 'hosts': {h: stats.summarize(h) for h in stats.processed}})

    def result(self, status, result, item=False, ignored=False):
        values, task = result._result, result._task
        censored = 'censored' in values
        event = {
            'event': 'result', 'status': status, 'host': result._host.get_name(), 'id': task._uuid, 'task': task.get_name(), 'path': task.get_path() or '',
            'action': task.action, 'changed': bool(values.get('changed')), 'censored': censored, 'ignored': ignored, 'in_loop': item,
            'loop': bool(task.loop is not None or task.loop_with) and not item,
        }
        event['skip_reason'] = text(values.get('skip_reason', values.get('skipped_reason', '')))
        if not censored:
            if item:
                event['item'] = text(self._get_item_label(values))[:200]
            event['target'] = self.target(values)
            diff = values.get('diff')
            event['diff'] = [self.diff(d) for d in (diff if isinstance(diff, list) else [diff]) if isinstance(d, dict)]
            if status in ('failed', 'unreachable', 'skipped'):
                event['said'] = {k: text(values[k])[:8000] for k in FAILURE if values.get(k)}
        append('events.jsonl', event)

    @staticmethod
    def target(values):
        args = (values.get('invocation') or {}).get('module_args') if isinstance(values.get('invocation'), dict) else None
        for source in (args if isinstance(args, dict) else {}, values):
            for key in ('dest', 'path', 'name'):
                if isinstance(source.get(key), str):
                    return source[key][:500]
        return ''

    @staticmethod
    def diff(d):
        side = {}
        for key in ('before', 'after', 'prepared'):
            value = d.get(key)
            if value is None:
                continue
            if isinstance(value, (dict, list, int, float, bool)):
                side[key] = {'value': value}
            else:
                whole = text(value)
                side[key] = {'text': whole[:MAX_TEXT]}
                if len(whole) > MAX_TEXT:
                    side[key].update(cut=True, sum=hashlib.sha256(whole.encode('utf-8', 'replace')).hexdigest())
        side['made'] = not d.get('before') and 'before_header' not in d
        return side
