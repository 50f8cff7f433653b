import { Link } from 'react-router';
import { Entrance } from '../components/entrance.js';

export function NotFoundPage() {
  return (
    <Entrance title="No such page" lead="The address has no page behind it.">
      <Link className="button button-primary" to="/">
        To the start
      </Link>
    </Entrance>
  );
}
