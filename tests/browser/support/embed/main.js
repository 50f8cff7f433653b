// The viewer without any of our pages around it, at the hands of the test.
import { createViewer } from '@streamspace/viewer';

const element = document.getElementById('desktop');
element.style.height = '400px';

window.show = (options) => {
  window.statuses = [];
  window.viewer = createViewer(element, {
    backoff: { minMs: 20, maxMs: 40 },
    ...options,
    onStatus: (status) => window.statuses.push(status),
  });
};
